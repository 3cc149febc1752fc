#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

#include "models/sae/sae.h"

// A model in whose pass a sparse autoencoder takes part.

namespace hijack {

/// Throws Error, in one sentence, for an autoencoder that is not of this model: of another width, of a hook
/// that the model does not have, or trained on a model with another hash (where both are known). Returns its
/// hook.
Hook checked_hook(const SparseAutoencoder& sae, const VisionLanguageModel& model,
                  const std::string& model_sha256);

/// Of which tokens it learned; all where it does not say.
TokenChoice tokens_of(const SparseAutoencoder& sae);

/// What the autoencoder makes of the states stands in their place.
StateChange reconstructed(const SparseAutoencoder& sae, TokenChoice tokens);
/// Nothing stands in their place: how much the model needs them.
StateChange zeroed(const Hook& hook, TokenChoice tokens);
/// The latents `which`, int64 [m], are held at `values` [m]: x + (values - z) W_dec. What the other latents
/// say, and what none of them explains, stays.
StateChange clamped(const SparseAutoencoder& sae, const Tensor& which, const Tensor& values,
                    TokenChoice tokens);

/// The control of `clamped`: every state is moved by as much, but all of them along `direction`, a unit
/// vector [D].
StateChange pushed(const SparseAutoencoder& sae, const Tensor& which, const Tensor& values,
                   const Tensor& direction, TokenChoice tokens);

/// What the model loses in its prediction of replies when states are replaced. Sums over `tokens` tokens of
/// the replies, in nats.
struct PatchedLoss {
  int64_t tokens = 0;
  double clean = 0, patched = 0, zero = 0;  ///< cross-entropy
  double kl_patched = 0, kl_zero = 0;       ///< KL(model as it is || model with the change)
  /// (zero - patched) / (zero - clean): 1 = nothing is lost, 0 = as bad as without the states; NaN where
  /// they make no difference.
  double recovered() const;
  /// 1 - KL with the reconstruction / KL without the states.
  double kl_recovered() const;
  /// One of the sums, per token.
  double each(double sum) const { return sum / static_cast<double>(tokens); }
  PatchedLoss& operator+=(const PatchedLoss& other);
};
/// replies[i] teacher-forced after queries[i].
PatchedLoss patched_loss(const VisionLanguageModel& model, const Pixels& pixels,
                         std::span<const Query> queries, std::span<const TokenIds> replies,
                         const SparseAutoencoder& sae, TokenChoice tokens);
/// The same of what the model, as it is, replies by itself (greedily, at most max_new_tokens), with the end
/// of replies that ended.
PatchedLoss patched_loss_of_replies(const VisionLanguageModel& model, const Pixels& pixels,
                                    std::span<const Query> queries, int64_t max_new_tokens,
                                    const SparseAutoencoder& sae, TokenChoice tokens);
/// {"reply_tokens", "ce_clean", "ce_patched", "ce_zero", "loss_recovered", "kl_patched", "kl_zero",
/// "kl_recovered"}, per token.
nlohmann::json to_json(const PatchedLoss& loss);

}  // namespace hijack
