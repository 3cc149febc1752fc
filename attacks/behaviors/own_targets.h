#pragma once
#include <unordered_map>

#include "attacks/behavior.h"

namespace hijack {

/// A behavior some of whose contexts bring a target of their own (the `target` of a contexts file): there the
/// same kind of behavior holds with that target in place of the common one.
class OwnTargets : public Behavior {
 public:
  /// config made `common`. Throws Error for behaviors whose target is not what the model says.
  OwnTargets(std::shared_ptr<Behavior> common, BehaviorConfig config);
  /// Throws Error as make_behavior does for that target.
  void add(const Context& context, const std::string& target);

  std::string name() const override { return common_->name(); }
  std::string target_for(const Context& context) const override { return of(context).target_for(context); }
  std::vector<std::string> targets_for(const Context& context) const override {
    return of(context).targets_for(context);
  }
  bool succeeded(const Context& context, const Generated& reply) const override {
    return of(context).succeeded(context, reply);
  }
  bool matches_substring(const Context& context, const Generated& reply) const override {
    return of(context).matches_substring(context, reply);
  }
  bool ends_reply() const override { return common_->ends_reply(); }
  bool ends_reply(const Context& context) const override { return of(context).ends_reply(context); }
  void prepare(const VisionLanguageModel& model, const Tensor& origin, std::span<const Context> contexts,
               int64_t max_new_tokens) override {
    common_->prepare(model, origin, contexts, max_new_tokens);
  }
  std::string default_objective() const override { return common_->default_objective(); }
  std::string instruction() const override { return common_->instruction(); }

 private:
  const Behavior& of(const Context& context) const;

  std::shared_ptr<Behavior> common_;
  BehaviorConfig config_;
  std::unordered_map<std::string, std::unique_ptr<Behavior>> own_;  ///< by key_of
};

}  // namespace hijack
