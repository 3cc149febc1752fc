#pragma once
#include "attacks/behavior.h"

namespace hijack {

/// A behavior for contexts that were given a suffix (text/suffix.h): targets and success are those of the
/// user's own words, without it.
class SuffixedBehavior : public Behavior {
 public:
  SuffixedBehavior(std::shared_ptr<const Behavior> inner, std::string suffix)
      : inner_(std::move(inner)), ending_(" " + std::move(suffix)) {}

  std::string name() const override { return inner_->name(); }
  std::string target_for(const Context& context) const override {
    return inner_->target_for(without_suffix(context));
  }
  std::vector<std::string> targets_for(const Context& context) const override {
    return inner_->targets_for(without_suffix(context));
  }
  bool succeeded(const Context& context, const Generated& reply) const override {
    return inner_->succeeded(without_suffix(context), reply);
  }
  bool matches_substring(const Context& context, const Generated& reply) const override {
    return inner_->matches_substring(without_suffix(context), reply);
  }
  bool ends_reply() const override { return inner_->ends_reply(); }
  bool ends_reply(const Context& context) const override {
    return inner_->ends_reply(without_suffix(context));
  }
  std::string default_objective() const override { return inner_->default_objective(); }
  std::string instruction() const override { return inner_->instruction(); }

 private:
  Context without_suffix(Context context) const {
    if (context.prompt.ends_with(ending_)) context.prompt.resize(context.prompt.size() - ending_.size());
    return context;
  }

  std::shared_ptr<const Behavior> inner_;
  std::string ending_;
};

}  // namespace hijack
