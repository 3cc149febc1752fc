#pragma once
#include "attacks/behaviors/prepared_replies.h"

namespace hijack {

/// The model acts as if an instruction (a false fact, a rule) stood before the user's prompt (Bailey et al.
/// 2023, "disinformation", found by prompt matching). The target of a context is the model's own reply to
/// instruction + prompt over the clean image; success is that very reply, without the instruction.
class DisinformationBehavior : public Behavior {
 public:
  explicit DisinformationBehavior(std::string instruction) : instruction_(std::move(instruction)) {}
  std::string name() const override { return "disinformation"; }
  void prepare(const VisionLanguageModel& model, const Tensor& origin, std::span<const Context> contexts,
               int64_t max_new_tokens) override;
  std::string target_for(const Context& context) const override { return replies_.of(context); }
  bool succeeded(const Context& context, const std::string& reply) const override;
  bool contained(const Context& context, const std::string& reply) const override;
  std::string default_objective() const override { return "prompt"; }
  std::string instruction() const override { return instruction_; }

 private:
  std::string instruction_;
  PreparedReplies replies_;
};

}  // namespace hijack
