#include "attacks/behaviors/prepared_replies.h"

#include "src/base/unicode.h"

namespace hijack {

void PreparedReplies::ask(const VisionLanguageModel& model, const Tensor& image,
                          std::span<const Context> contexts, int64_t max_new_tokens,
                          const std::function<Context(const Context&)>& asked) {
  const at::NoGradGuard no_gradients;
  const Pixels pixels = model.preprocess(image);
  GenerateOptions options;
  options.max_new_tokens = max_new_tokens;
  std::vector<const Context*> open;
  for (const Context& context : contexts) {
    const auto known = replies_.find(key_of(context));
    if (known == replies_.end() || (known->second.reply.cut && known->second.longest < max_new_tokens))
      open.push_back(&context);
  }
  for (size_t begin = 0; begin < open.size(); begin += kRepliesAtOnce) {
    const size_t end = std::min(open.size(), begin + kRepliesAtOnce);
    std::vector<Context> queries;
    for (size_t i = begin; i < end; ++i) queries.push_back(asked(*open[i]));
    auto replies = model.generate(pixels, queries, options);
    for (size_t i = begin; i < end; ++i)
      replies_[key_of(*open[i])] = {std::move(replies[i - begin]), max_new_tokens};
  }
}

const PreparedReplies::Asked& PreparedReplies::asked_of(const Context& context) const {
  const auto found = replies_.find(key_of(context));
  TORCH_CHECK(found != replies_.end(), "the behavior was not prepared for the context '", context.prompt,
              "'");
  return found->second;
}

const Generated& PreparedReplies::of(const Context& context) const {
  return asked_of(context).reply;
}

ReplyNeed PreparedReplies::needed_whole(std::span<const Context> contexts, const std::string& which) const {
  int64_t cut = 0, longest = 0;
  std::string first;
  for (const Context& context : contexts) {
    const Asked& asked = asked_of(context);
    if (!asked.reply.cut) continue;
    longest = std::max(longest, asked.longest);
    if (cut++ == 0) first = unicode::excerpt(context.prompt);
  }
  if (cut == 0) return {};
  return {2 * longest,
          std::to_string(cut) + " of " + std::to_string(contexts.size()) + " " + which + " (the first is '" +
              first + "') were cut at " + std::to_string(longest) + " tokens, and nobody knows their end",
          true};
}

}  // namespace hijack
