#include "models/activations/collect.h"

#include "src/base/tensor_math.h"

namespace hijack {
namespace {

std::vector<TokenIds> replies_of(const VisionLanguageModel& model, const Pixels& pixels,
                                 std::span<const Query> queries, const ActivationRequest& request) {
  if (request.tokens != TokenChoice::kReply) return {};
  if (!request.reply.empty()) return std::vector<TokenIds>(queries.size(), model.target_ids(request.reply));
  std::vector<TokenIds> replies;
  for (const Generated& said : model.generate(pixels, queries, {.max_new_tokens = request.max_new_tokens}))
    replies.push_back(model.target_ids(said.text));
  return replies;
}

Tensor repeated(int64_t value, int64_t count) {
  return at::full({count}, value, at::kLong);
}

}  // namespace

void collect_activations(const VisionLanguageModel& model, const Tensor& image,
                         std::span<const Query> queries, const ActivationRequest& request, int64_t label,
                         int64_t image_index, ActivationWriter& writer) {
  const at::NoGradGuard no_gradients;
  const StateHooks& hooks = state_hooks_of(model);
  const std::vector<Hook> at = {request.hook};
  const Pixels pixels = model.preprocess(on_device(image, model.device()));
  Tensor before;  // of image tokens
  for (size_t begin = 0; begin < queries.size(); begin += kRepliesAtOnce) {
    const auto some = queries.subspan(begin, std::min(kRepliesAtOnce, queries.size() - begin));
    const auto found =
        hooks.states_at(pixels, some, replies_of(model, pixels, some, request), at, request.tokens);
    for (size_t i = 0; i < some.size(); ++i) {
      const Tensor& states = found[i].states.at(0);
      const int64_t n = states.size(0);
      if (request.tokens == TokenChoice::kImage) {
        if (before.defined() && (before.is_same(states) || at::equal(before, states))) continue;
        before = states;
      }
      writer.add({states, repeated(label, n), repeated(image_index, n),
                  repeated(static_cast<int64_t>(begin + i), n), at::tensor(found[i].positions, at::kLong),
                  at::tensor(std::vector<int64_t>(found[i].ids.begin(), found[i].ids.end()), at::kLong)});
    }
  }
}

}  // namespace hijack
