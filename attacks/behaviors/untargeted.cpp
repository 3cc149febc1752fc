#include "attacks/behaviors/untargeted.h"

#include "attacks/behaviors/text.h"

namespace hijack {

void UntargetedBehavior::prepare(const VisionLanguageModel& model, const Tensor& origin,
                                 std::span<const Context> contexts, int64_t max_new_tokens) {
  replies_.ask(model, origin, contexts, max_new_tokens, [](const Context& context) { return context; });
}

std::string UntargetedBehavior::target_for(const Context& context) const {
  return said(replies_.of(context));
}

bool UntargetedBehavior::succeeded(const Context& context, const Generated& reply) const {
  return surely_differ(reply, replies_.of(context));
}

bool UntargetedBehavior::matches_substring(const Context& context, const Generated& reply) const {
  return succeeded(context, reply) &&
         !contains_words(simplified(said(reply)), simplified(said(replies_.of(context))));
}

}  // namespace hijack
