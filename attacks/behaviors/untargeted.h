#pragma once
#include "attacks/behaviors/prepared_replies.h"

namespace hijack {

/// The model no longer says what it says to the clean image, whatever else it says (Schlarmann & Hein 2023).
/// The default objective raises the loss of the clean reply.
class UntargetedBehavior : public Behavior {
 public:
  std::string name() const override { return "untargeted"; }
  void prepare(const VisionLanguageModel& model, const Tensor& origin, std::span<const Context> contexts,
               int64_t max_new_tokens) override;
  /// The clean reply: what the objective leads away from.
  std::string target_for(const Context& context) const override { return replies_.of(context); }
  /// Another reply than to the clean image; case and white space do not count.
  bool succeeded(const Context& context, const std::string& reply) const override;
  /// The clean reply does not even occur inside it.
  bool contained(const Context& context, const std::string& reply) const override;
  std::string default_objective() const override { return "-1*behavior"; }

 private:
  PreparedReplies replies_;
};

}  // namespace hijack
