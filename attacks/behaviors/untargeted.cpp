#include "attacks/behaviors/untargeted.h"

#include "attacks/behaviors/text.h"

namespace hijack {

void UntargetedBehavior::prepare(const VisionLanguageModel& model, const Tensor& origin,
                                 std::span<const Context> contexts, int64_t max_new_tokens) {
  replies_.ask(model, origin, contexts, max_new_tokens, [](const Context& context) { return context; });
}

bool UntargetedBehavior::succeeded(const Context& context, const std::string& reply) const {
  return fold(reply) != fold(replies_.of(context));
}

bool UntargetedBehavior::contained(const Context& context, const std::string& reply) const {
  return fold(reply).find(fold(replies_.of(context))) == std::string::npos;
}

}  // namespace hijack
