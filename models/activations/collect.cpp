#include "models/activations/collect.h"

#include "src/base/tensor_math.h"

namespace hijack {
namespace {

std::vector<TokenIds> replies_of(const VisionLanguageModel& model, const Pixels& pixels,
                                 std::span<const Query> queries, const ActivationRequest& request) {
  if (!is_chosen(TokenKind::kReply, request.tokens)) return {};
  if (!request.reply.empty()) return std::vector<TokenIds>(queries.size(), model.target_ids(request.reply));
  std::vector<TokenIds> replies;
  for (const Generated& said : model.generate(pixels, queries, {.max_new_tokens = request.max_new_tokens}))
    replies.push_back(model.target_ids(said.text));
  return replies;
}

Tensor repeated(int64_t value, int64_t count) {
  return at::full({count}, value, at::kLong);
}

/// The rows of `found` but, where `before` (states of image tokens, brought up to date) had the same, those
/// of image tokens.
std::vector<int64_t> fresh_rows(const TokenStates& found, Tensor& before) {
  std::vector<int64_t> image, all;
  for (size_t t = 0; t < found.kinds.size(); ++t) {
    all.push_back(static_cast<int64_t>(t));
    if (found.kinds[t] == TokenKind::kImage) image.push_back(all.back());
  }
  if (image.empty()) return all;
  const Tensor& states = found.states.at(0);
  const Tensor now = states.index_select(0, at::tensor(image, at::kLong).to(states.device()));
  const bool same = before.defined() && at::equal(before, now);
  before = now;
  if (same)
    std::erase_if(all, [&](int64_t t) { return found.kinds[static_cast<size_t>(t)] == TokenKind::kImage; });
  return all;
}

ActivationRows rows_of(const TokenStates& found, const std::vector<int64_t>& wanted) {
  const auto n = static_cast<int64_t>(wanted.size());
  std::vector<int64_t> positions, ids;
  ActivationRows rows;
  for (const int64_t t : wanted) {
    const auto at = static_cast<size_t>(t);
    positions.push_back(found.positions[at]), ids.push_back(found.ids[at]);
    rows.kinds.push_back(found.kinds[at]);
  }
  const Tensor& states = found.states.at(0);
  rows.states = n == states.size(0)
                    ? states
                    : states.index_select(0, at::tensor(wanted, at::kLong).to(states.device()));
  rows.position = at::tensor(positions, at::kLong), rows.token = at::tensor(ids, at::kLong);
  return rows;
}

}  // namespace

void collect_activations(const VisionLanguageModel& model, const Tensor& image,
                         std::span<const Query> queries, const ActivationRequest& request, int64_t label,
                         int64_t image_index, const std::function<void(ActivationRows)>& add) {
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
      const std::vector<int64_t> wanted = fresh_rows(found[i], before);
      if (wanted.empty()) continue;
      ActivationRows rows = rows_of(found[i], wanted);
      const auto n = static_cast<int64_t>(wanted.size());
      rows.label = repeated(label, n), rows.image = repeated(image_index, n);
      rows.context = repeated(static_cast<int64_t>(begin + i), n);
      add(std::move(rows));
    }
  }
}

}  // namespace hijack
