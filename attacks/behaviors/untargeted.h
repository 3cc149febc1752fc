#pragma once
#include "attacks/behaviors/prepared_replies.h"

namespace hijack {

/// The model no longer says what it says to the clean image, whatever else it says (Schlarmann & Hein 2023).
/// The default objective raises the loss of the clean reply. Where replies were cut, a success is a reply
/// that could not have become the clean one, nor the clean one it, however they went on: a cut reply is no
/// other than a clean reply that begins with it. So long clean replies need no longer limit (what the rows
/// say of condition `clean` tells how many were cut); their beginnings are targets without an end token.
class UntargetedBehavior : public Behavior {
 public:
  std::string name() const override { return "untargeted"; }
  void prepare(const VisionLanguageModel& model, const Tensor& origin, std::span<const Context> contexts,
               int64_t max_new_tokens) override;
  /// The clean reply: what the objective leads away from.
  std::string target_for(const Context& context) const override;
  /// Another reply than to the clean image; case and white space do not count.
  bool succeeded(const Context& context, const Generated& reply) const override;
  /// And the clean reply does not even occur inside of what was said.
  bool matches_substring(const Context& context, const Generated& reply) const override;
  using Behavior::ends_reply;
  bool ends_reply(const Context& context) const override { return !replies_.of(context).cut; }
  ReplyNeed needed(const VisionLanguageModel&, std::span<const Context>) const override { return {}; }
  std::string default_objective() const override { return "-1*behavior"; }

 private:
  PreparedReplies replies_;
};

}  // namespace hijack
