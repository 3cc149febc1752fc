#pragma once
#include "attacks/behaviors/prepared_replies.h"

namespace hijack {

/// The model goes on and on: an attack on availability (verbose images, Gao et al. 2024). Its default
/// objective delays the end token.
class VerboseBehavior : public Behavior {
 public:
  std::string name() const override { return "verbose"; }
  void prepare(const VisionLanguageModel& model, const Tensor& origin, std::span<const Context> contexts,
               int64_t max_new_tokens) override;
  /// The clean reply: what the length is compared with.
  std::string target_for(const Context& context) const override { return replies_.of(context).text; }
  /// At least twice the words of the clean reply, be it cut after that or not; never where the clean reply
  /// was cut.
  bool succeeded(const Context& context, const Generated& reply) const override;
  /// More words than the clean reply.
  bool matches_substring(const Context& context, const Generated& reply) const override;
  using Behavior::ends_reply;
  bool ends_reply() const override { return false; }
  /// Whole clean replies, and room for twice the longest.
  ReplyNeed needed(const VisionLanguageModel& model, std::span<const Context> contexts) const override;
  std::string default_objective() const override { return "delay_end"; }

 private:
  PreparedReplies replies_;
};

}  // namespace hijack
