#pragma once
#include "attacks/behaviors/prepared_replies.h"

namespace hijack {

/// The model acts as if an instruction (a false fact, a rule) stood before the user's prompt (Bailey et al.
/// 2023, "disinformation", found by prompt matching). The target of a context is the model's own reply to
/// instruction + prompt over the clean image; success is that very reply, without the instruction. Of a reply
/// that was cut nobody could tell whether another one equals it: `needed` asks for more tokens.
class DisinformationBehavior : public Behavior {
 public:
  explicit DisinformationBehavior(std::string instruction) : instruction_(std::move(instruction)) {}
  std::string name() const override { return "disinformation"; }
  void prepare(const VisionLanguageModel& model, const Tensor& origin, std::span<const Context> contexts,
               int64_t max_new_tokens) override;
  std::string target_for(const Context& context) const override { return replies_.of(context).text; }
  bool succeeded(const Context& context, const Generated& reply) const override;
  bool matches_substring(const Context& context, const Generated& reply) const override;
  using Behavior::ends_reply;
  bool ends_reply(const Context& context) const override { return !replies_.of(context).cut; }
  ReplyNeed needed(const VisionLanguageModel& model, std::span<const Context> contexts) const override;
  std::string default_objective() const override { return "prompt"; }
  std::string instruction() const override { return instruction_; }

 private:
  std::string instruction_;
  PreparedReplies replies_;
};

}  // namespace hijack
