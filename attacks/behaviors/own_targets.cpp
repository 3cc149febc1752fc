#include "attacks/behaviors/own_targets.h"

#include "attacks/behaviors/prepared_replies.h"
#include "src/base/error.h"

namespace hijack {

OwnTargets::OwnTargets(std::shared_ptr<Behavior> common, BehaviorConfig config)
    : common_(std::move(common)), config_(std::move(config)) {
  if (!common_->instruction().empty() || common_->default_objective() != "behavior" ||
      !config_.targets.empty())
    throw Error("the contexts bring targets of their own, which behavior " + config_.name +
                " has no use for: use string, leak or refusal, or leave them out.");
}

void OwnTargets::add(const Context& context, const std::string& target) {
  config_.target = target;
  own_[key_of(context)] = make_behavior(config_);
}

const Behavior& OwnTargets::of(const Context& context) const {
  const auto found = own_.find(key_of(context));
  return found == own_.end() ? *common_ : *found->second;
}

}  // namespace hijack
