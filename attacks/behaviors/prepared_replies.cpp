#include "attacks/behaviors/prepared_replies.h"

namespace hijack {
namespace {

constexpr size_t kBatch = 25;

}  // namespace

/// Every part has its length before it, so that no two contexts share a key.
std::string key_of(const Context& context) {
  std::string key;
  const auto add = [&](const std::string& part) { key += std::to_string(part.size()) + ":" + part; };
  add(context.prompt);
  add(context.system);
  for (const Turn& turn : context.earlier) add(turn.user), add(turn.assistant);
  return key;
}

void PreparedReplies::ask(const VisionLanguageModel& model, const Tensor& image,
                          std::span<const Context> contexts, int64_t max_new_tokens,
                          const std::function<Context(const Context&)>& asked) {
  const at::NoGradGuard no_gradients;
  const Pixels pixels = model.preprocess(image);
  GenerateOptions options;
  options.max_new_tokens = max_new_tokens;
  for (size_t begin = 0; begin < contexts.size(); begin += kBatch) {
    const auto batch = contexts.subspan(begin, std::min(kBatch, contexts.size() - begin));
    std::vector<Context> queries;
    for (const Context& context : batch) queries.push_back(asked(context));
    auto replies = model.generate(pixels, queries, options);
    for (size_t i = 0; i < batch.size(); ++i) replies_[key_of(batch[i])] = std::move(replies[i]);
  }
}

const std::string& PreparedReplies::of(const Context& context) const {
  const auto found = replies_.find(key_of(context));
  TORCH_CHECK(found != replies_.end(), "the behavior was not prepared for the context '", context.prompt,
              "'");
  return found->second;
}

}  // namespace hijack
