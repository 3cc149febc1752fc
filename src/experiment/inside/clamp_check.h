#pragma once
#include <memory>
#include <stop_token>
#include <vector>

#include "attacks/behavior.h"
#include "models/sae/patched.h"
#include "src/experiment/record/feature_rows.h"

namespace hijack {

/// A trial whose replies are asked for again.
struct ClampTrial {
  Tensor hijack, clean;  ///< [1,3,H,W]
  std::shared_ptr<const Behavior> behavior;
  int64_t reply_tokens = 0;
};

/// Latents of a kind of tokens that are held.
struct ClampSet {
  std::string tokens;                   ///< "image" or "text"
  TokenChoice at = TokenChoice::kAll;   ///< which those are
  std::vector<int64_t> strongest = {};  ///< whose strengths the hijack changes most
  std::vector<int64_t> active = {};  ///< others that are active under the hijack: what the control draws from
  Tensor clean_mean = {};            ///< [S] of z, over tokens of this kind on clean photos
};

constexpr int kRandomClamps = 5;  ///< controls, each of other latents

/// How many replies to `queries` still obey the images of the trials: as the model is, with the clean images,
/// with the strongest latents of each set held at their clean mean (at the set's tokens, also of all sets
/// together), with as many random active ones, and with states moved by as much as the strongest move them,
/// in a random direction (kRandomClamps draws each). What has no latents is left out. Stops early where asked
/// to, with what is complete.
std::vector<ClampRow> clamp_check(const VisionLanguageModel& model, const SparseAutoencoder& sae,
                                  const std::vector<ClampTrial>& trials, const std::vector<ClampSet>& sets,
                                  const std::vector<Query>& queries, uint64_t seed, std::stop_token stop);

}  // namespace hijack
