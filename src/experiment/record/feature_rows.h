#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

// What `hijack features` found in a run, a row of features.jsonl for each sparse autoencoder.

namespace hijack {

/// Where a latent is strong.
struct LatentExample {
  std::string context = {}, token = {};
  double value = 0;
};

/// One latent, where its strength is z |w_dec|: by how much it moves the state.
struct LatentRow {
  int64_t latent = 0;
  double clean = 0, noise = 0, hijack = 0;  ///< mean strength; noise is NaN without such images
  double difference = 0;                    ///< of hijack to the nearer of the others; 0 between them
  double auroc = 0, low = 0, high = 0;      ///< hijack against the others, 95 % over clusters
  double p = 1, q = 1;                      ///< of a sign-flip test; after Benjamini and Hochberg
  std::vector<LatentExample> examples = {};
  std::string heat_map = {};  ///< relative to the run folder; "" = none
};

/// Of image tokens or of the prompt's text tokens.
struct TokenFeatures {
  std::string tokens;   ///< "image" or "text"
  std::string cluster;  ///< what counts as one observation: "place of an image", "context"
  int64_t clusters = 0;
  int64_t tested = 0;          ///< latents that are active at all
  int64_t found = 0;           ///< at q <= 0.05 against clean and against noise
  int64_t noise_found = 0;     ///< the same for noise against clean, a control
  int64_t shuffled_found = 0;  ///< the same with shuffled labels, a control
  double l0 = 0;               ///< on the hijacked images
  /// Explained variance; noise is NaN without such images.
  double variance_clean = 0, variance_noise = 0, variance_hijack = 0;
  std::vector<LatentRow> latents = {};  ///< the strongest differences first
};

/// Replies to held-out contexts while some latents are held at their clean mean.
struct ClampRow {
  std::string tokens;  ///< where: "image", "text", "image and text"
  std::string what;    ///< "nothing", "strongest", "random", "random direction", "clean image"
  std::vector<int64_t> latents = {};
  int64_t n = 0, exact = 0, substring = 0, draws = 1;
};

struct FeatureRow {
  std::string sae = {}, sae_sha256 = {}, architecture = {}, hook = {};
  int64_t layer = 0, width = 0, latents = 0;
  std::string trained_on = {};  ///< tokens of its training; "" = not said
  bool same_model = false;      ///< its folder names the hash of this model
  int64_t trials = 0, contexts = 0, held_out = 0;
  int64_t reply_tokens = 0;
  double loss_recovered = 0, kl = 0, kl_recovered = 0;
  double ce_clean = 0, ce_patched = 0, ce_zero = 0;
  std::vector<TokenFeatures> tokens = {};
  std::vector<ClampRow> clamps = {};
};

nlohmann::json to_json(const FeatureRow& row);
/// Throws Error naming `where` and the field.
FeatureRow features_from_json(const nlohmann::json& json, const std::string& where);

}  // namespace hijack
