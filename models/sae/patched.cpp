#include "models/sae/patched.h"

#include <ATen/ATen.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {
namespace {

/// A share that is NaN where there is nothing to share.
double share_of(double part, double whole) {
  return std::abs(whole) > 0 ? part / whole : std::numeric_limits<double>::quiet_NaN();
}

double cross_entropy(const Tensor& log_probabilities, const TokenIds& reply) {
  const Tensor ids = at::tensor(reply, at::kLong).to(log_probabilities.device());
  return -log_probabilities.gather(1, ids.unsqueeze(1)).sum().item<double>();
}

double divergence(const Tensor& from, const Tensor& to) {
  return (from.exp() * (from - to)).sum().item<double>();
}

}  // namespace

Hook checked_hook(const SparseAutoencoder& sae, const VisionLanguageModel& model,
                  const std::string& model_sha256) {
  const StateHooks& hooks = state_hooks_of(model);
  if (sae.width() != hooks.width())
    throw Error("the sparse autoencoder is for states of width " + std::to_string(sae.width()) +
                ", and the model's are of width " + std::to_string(hooks.width()) + ".");
  const Hook hook = hook_of_lens_name(sae.hook_name);
  check_hook(hook, hooks.layers());
  if (!sae.model_sha256.empty() && !model_sha256.empty() && sae.model_sha256 != model_sha256)
    throw Error("the sparse autoencoder was trained on another model ('" + sae.model_name.substr(0, 80) +
                "', SHA-256 " + sae.model_sha256.substr(0, 16) + ", not " + model_sha256.substr(0, 16) +
                ").");
  return hook;
}

TokenChoice tokens_of(const SparseAutoencoder& sae) {
  return sae.tokens.empty() ? TokenChoice::kAll : token_choice_from_name(sae.tokens);
}

StateChange reconstructed(const SparseAutoencoder& sae, TokenChoice tokens) {
  return {hook_of_lens_name(sae.hook_name),
          [sae](const Tensor& states) { return sae.decode(sae.encode(states)).to(states.options()); },
          tokens};
}

StateChange zeroed(const Hook& hook, TokenChoice tokens) {
  return {hook, [](const Tensor& states) { return at::zeros_like(states); }, tokens};
}

namespace {

/// states [..,D] -> what holding the latents adds to them.
Tensor held_change(const SparseAutoencoder& sae, const Tensor& which, const Tensor& values,
                   const Tensor& states) {
  const Tensor now = sae.encode(states).index_select(-1, which);
  return (values - now).matmul(sae.decoder.index_select(0, which)).to(states.options());
}

}  // namespace

StateChange clamped(const SparseAutoencoder& sae, const Tensor& which, const Tensor& values,
                    TokenChoice tokens) {
  return {
      hook_of_lens_name(sae.hook_name),
      [sae, which, values](const Tensor& states) { return states + held_change(sae, which, values, states); },
      tokens};
}

StateChange pushed(const SparseAutoencoder& sae, const Tensor& which, const Tensor& values,
                   const Tensor& direction, TokenChoice tokens) {
  return {hook_of_lens_name(sae.hook_name),
          [sae, which, values, direction](const Tensor& states) {
            const Tensor size = held_change(sae, which, values, states).norm(2, -1, /*keepdim=*/true);
            return states + size * direction.to(states.options());
          },
          tokens};
}

double PatchedLoss::recovered() const {
  return share_of(zero - patched, zero - clean);
}

double PatchedLoss::kl_recovered() const {
  return share_of(kl_zero - kl_patched, kl_zero);
}

PatchedLoss& PatchedLoss::operator+=(const PatchedLoss& other) {
  tokens += other.tokens;
  clean += other.clean, patched += other.patched, zero += other.zero;
  kl_patched += other.kl_patched, kl_zero += other.kl_zero;
  return *this;
}

PatchedLoss patched_loss(const VisionLanguageModel& model, const Pixels& pixels,
                         std::span<const Query> queries, std::span<const TokenIds> replies,
                         const SparseAutoencoder& sae, TokenChoice tokens) {
  const at::NoGradGuard no_gradients;
  const StateHooks& hooks = state_hooks_of(model);
  const StateChange changes[] = {reconstructed(sae, tokens),
                                 zeroed(hook_of_lens_name(sae.hook_name), tokens)};
  const auto under = [&](const StateChange& change) {
    return hooks.changed_target_logits(pixels, queries, replies, {&change, 1});
  };
  const auto plain = model.target_logits(pixels, queries, replies);
  const auto patched = under(changes[0]), zero = under(changes[1]);
  PatchedLoss loss;
  for (size_t i = 0; i < queries.size(); ++i) {
    const auto scores = [&](const std::vector<Tensor>& logits) {
      return logits[i].to(at::kDouble).log_softmax(-1);
    };
    const Tensor before = scores(plain), with = scores(patched), without = scores(zero);
    loss.tokens += static_cast<int64_t>(replies[i].size());
    loss.clean += cross_entropy(before, replies[i]);
    loss.patched += cross_entropy(with, replies[i]);
    loss.zero += cross_entropy(without, replies[i]);
    loss.kl_patched += divergence(before, with);
    loss.kl_zero += divergence(before, without);
  }
  return loss;
}

PatchedLoss patched_loss_of_replies(const VisionLanguageModel& model, const Pixels& pixels,
                                    std::span<const Query> queries, int64_t max_new_tokens,
                                    const SparseAutoencoder& sae, TokenChoice tokens) {
  const at::NoGradGuard no_gradients;
  const TokenIds end = model.end_of_reply();
  std::vector<Query> asked;
  std::vector<TokenIds> replies;
  const auto said = model.generate(pixels, queries, {.max_new_tokens = max_new_tokens});
  for (size_t i = 0; i < said.size(); ++i) {
    TokenIds ids = model.target_ids(said[i].text);
    if (!said[i].cut) ids.insert(ids.end(), end.begin(), end.end());
    if (ids.empty()) continue;
    asked.push_back(queries[i]);
    replies.push_back(std::move(ids));
  }
  return asked.empty() ? PatchedLoss{} : patched_loss(model, pixels, asked, replies, sae, tokens);
}

nlohmann::json to_json(const PatchedLoss& loss) {
  const auto each = [&](double sum) { return number_or_null(loss.each(sum)); };
  return {{"reply_tokens", loss.tokens},
          {"ce_clean", each(loss.clean)},
          {"ce_patched", each(loss.patched)},
          {"ce_zero", each(loss.zero)},
          {"loss_recovered", number_or_null(loss.recovered())},
          {"kl_patched", each(loss.kl_patched)},
          {"kl_zero", each(loss.kl_zero)},
          {"kl_recovered", number_or_null(loss.kl_recovered())}};
}

}  // namespace hijack
