#include "src/experiment/inside/latent_states.h"

#include <ATen/ATen.h>

#include "src/base/tensor_math.h"

namespace hijack {
namespace {

constexpr size_t kPromptsAtOnce = 8;

/// Rows of the tokens of a kind; of text those behind the last image token.
std::vector<int64_t> rows_of_kind(const TokenStates& found, bool image) {
  std::vector<int64_t> rows;
  for (size_t t = 0; t < found.kinds.size(); ++t) {
    const bool is_image = found.kinds[t] == TokenKind::kImage;
    if (is_image && !image) rows.clear();
    if (is_image == image) rows.push_back(static_cast<int64_t>(t));
  }
  return rows;
}

Tensor some_rows(const Tensor& states, const std::vector<int64_t>& rows) {
  return states.to(at::kCPU, at::kFloat).index_select(0, at::tensor(rows, at::kLong));
}

/// `made` of each condition that the trials have.
template <class Make>
LatentValues by_condition(const std::vector<TrialStates>& trials, const Make& made) {
  const bool noise = std::all_of(trials.begin(), trials.end(),
                                 [](const TrialStates& trial) { return trial.contains("noise"); });
  return {made("clean"), noise ? made("noise") : Tensor(), made("hijack")};
}

}  // namespace

ConditionStates condition_states(const VisionLanguageModel& model, const Tensor& image,
                                 std::span<const Query> queries, const Hook& hook, TokenChoice text_tokens) {
  const at::NoGradGuard no_gradients;
  const StateHooks& hooks = state_hooks_of(model);
  const Pixels pixels = model.preprocess(on_device(image, model.device()));
  ConditionStates all;
  for (size_t begin = 0; begin < queries.size(); begin += kPromptsAtOnce) {
    const auto some = queries.subspan(begin, std::min(kPromptsAtOnce, queries.size() - begin));
    for (const TokenStates& found : hooks.states_at(pixels, some, {}, {&hook, 1}, TokenChoice::kAll)) {
      const Tensor& states = found.states.at(0);
      if (!all.image.defined()) all.image = some_rows(states, rows_of_kind(found, true));
      std::vector<int64_t> text = rows_of_kind(found, false);
      if (text_tokens == TokenChoice::kLast) text = {text.back()};
      all.text.push_back(some_rows(states, text));
      TokenIds& ids = all.ids.emplace_back();
      for (const int64_t t : text) ids.push_back(found.ids[static_cast<size_t>(t)]);
    }
  }
  return all;
}

Tensor strengths(const SparseAutoencoder& sae, const Tensor& states) {
  return sae.encode(states) * sae.decoder.norm(2, 1);
}

LatentValues image_values(const SparseAutoencoder& sae, const std::vector<TrialStates>& trials) {
  return by_condition(trials, [&](const std::string& condition) {
    return strengths(sae, all_states(trials, condition, "image"));
  });
}

LatentValues text_values(const SparseAutoencoder& sae, const std::vector<TrialStates>& trials) {
  return by_condition(trials, [&](const std::string& condition) {
    Tensor sum;
    for (const TrialStates& trial : trials) {
      std::vector<Tensor> rows;
      for (const Tensor& text : trial.at(condition).text) rows.push_back(strengths(sae, text).mean(0));
      const Tensor stacked = at::stack(rows);
      sum = sum.defined() ? sum + stacked : stacked;
    }
    return sum / static_cast<double>(trials.size());
  });
}

Tensor all_states(const std::vector<TrialStates>& trials, const std::string& condition,
                  const std::string& kind) {
  std::vector<Tensor> parts;
  for (const TrialStates& trial : trials) {
    const auto found = trial.find(condition);
    if (found == trial.end()) continue;
    if (kind == "image")
      parts.push_back(found->second.image);
    else
      parts.insert(parts.end(), found->second.text.begin(), found->second.text.end());
  }
  return parts.empty() ? Tensor() : at::cat(parts);
}

}  // namespace hijack
