#include "src/experiment/run/prepared_behavior.h"

#include "attacks/behaviors/own_targets.h"
#include "src/base/error.h"
#include "src/base/tensor_math.h"

namespace hijack {
namespace {

constexpr int64_t kUsual = 48;
constexpr int64_t kSlack = 3;              // white space around a target, which success allows
constexpr int64_t kLongestEstimate = 512;  // replies that never end would be followed without end

std::vector<Context> all_of(const ContextSet& contexts) {
  std::vector<Context> all = contexts.train;
  all.insert(all.end(), contexts.validation.begin(), contexts.validation.end());
  all.insert(all.end(), contexts.test.begin(), contexts.test.end());
  return all;
}

[[noreturn]] void refuse_given(const AttackConfig& config, const ReplyNeed& need) {
  throw Error("behavior " + config.behavior.name + " cannot be judged by replies of --max-new-tokens " +
              std::to_string(config.max_new_tokens) + ": " + need.why + "; give " +
              (need.estimate ? "" : "at least ") + std::to_string(need.tokens) +
              (need.estimate ? " or more" : "") + ", or leave the flag out.");
}

[[noreturn]] void refuse_endless(const AttackConfig& config, const ReplyNeed& need) {
  throw Error("behavior " + config.behavior.name + " cannot be judged: " + need.why +
              "; allow longer ones with --max-new-tokens, or leave such contexts out.");
}

int64_t longer(const ReplyNeed& need) {
  return need.estimate ? std::min(need.tokens, kLongestEstimate) : need.tokens + kSlack;
}

}  // namespace

std::shared_ptr<Behavior> behavior_for(const AttackConfig& config, const ContextSet& contexts) {
  std::shared_ptr<Behavior> behavior = make_behavior(config.behavior);
  if (contexts.targets.empty()) return behavior;
  auto own = std::make_shared<OwnTargets>(std::move(behavior), config.behavior);
  for (const auto& [context, target] : contexts.targets) own->add(context, target);
  return own;
}

void check_reply_length(const AttackConfig& config, const Behavior& behavior, const ContextSet& contexts,
                        const VisionLanguageModel& model) {
  if (config.max_new_tokens == 0 || behavior.default_objective() != "behavior") return;
  const ReplyNeed need = behavior.needed(model, all_of(contexts));
  if (need.tokens > config.max_new_tokens) refuse_given(config, need);
}

PreparedBehaviors prepare_behaviors(const AttackConfig& config, const ContextSet& contexts,
                                    const std::vector<std::shared_ptr<const VisionLanguageModel>>& models,
                                    const Tensor& origin) {
  const std::vector<Context> all = all_of(contexts);
  std::vector<std::shared_ptr<Behavior>> behaviors;
  for (size_t i = 0; i < models.size(); ++i) behaviors.push_back(behavior_for(config, contexts));
  const bool given = config.max_new_tokens > 0;
  int64_t length = given ? config.max_new_tokens : kUsual;
  for (bool fits = false; !fits;) {
    fits = true;
    for (size_t i = 0; i < models.size(); ++i) {
      behaviors[i]->prepare(*models[i], on_device(origin, models[i]->device()), all, length);
      const ReplyNeed need = behaviors[i]->needed(*models[i], all);
      if (need.tokens <= length) continue;
      if (given) refuse_given(config, need);
      if (need.estimate && length >= kLongestEstimate) refuse_endless(config, need);
      length = longer(need);
      fits = false;
    }
  }
  return {{behaviors.begin(), behaviors.end()}, length};
}

}  // namespace hijack
