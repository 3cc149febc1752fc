#include "attacks/behaviors/disinformation.h"

#include "attacks/behaviors/text.h"

namespace hijack {

void DisinformationBehavior::prepare(const VisionLanguageModel& model, const Tensor& origin,
                                     std::span<const Context> contexts, int64_t max_new_tokens) {
  replies_.ask(model, origin, contexts, max_new_tokens,
               [&](const Context& context) { return instructed(context, instruction_); });
}

bool DisinformationBehavior::succeeded(const Context& context, const Generated& reply) const {
  const Generated& target = replies_.of(context);
  return !reply.cut && !target.cut && strip(reply.text) == strip(target.text);
}

bool DisinformationBehavior::matches_substring(const Context& context, const Generated& reply) const {
  const Generated& target = replies_.of(context);
  return succeeded(context, reply) ||
         (!target.cut && contains_words(simplified(reply.text), simplified(target.text)));
}

ReplyNeed DisinformationBehavior::needed(const VisionLanguageModel&,
                                         std::span<const Context> contexts) const {
  return replies_.needed_whole(contexts, "of the replies that are its targets");
}

}  // namespace hijack
