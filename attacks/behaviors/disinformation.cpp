#include "attacks/behaviors/disinformation.h"

#include "attacks/behaviors/text.h"
#include "attacks/prompt_matching.h"

namespace hijack {

void DisinformationBehavior::prepare(const VisionLanguageModel& model, const Tensor& origin,
                                     std::span<const Context> contexts, int64_t max_new_tokens) {
  replies_.ask(model, origin, contexts, max_new_tokens,
               [&](const Context& context) { return instructed(context, instruction_); });
}

bool DisinformationBehavior::succeeded(const Context& context, const std::string& reply) const {
  return strip(reply) == strip(replies_.of(context));
}

bool DisinformationBehavior::contained(const Context& context, const std::string& reply) const {
  return fold(reply).find(fold(replies_.of(context))) != std::string::npos;
}

}  // namespace hijack
