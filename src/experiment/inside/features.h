#pragma once
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "src/experiment/plan/machine.h"
#include "src/experiment/record/feature_rows.h"

// `hijack features`: what a hijacked model computes, in the terms of a sparse autoencoder.

namespace hijack {

struct FeatureConfig {
  std::filesystem::path run, sae;
  int64_t top = 10;   ///< latents that are shown and held
  int64_t limit = 0;  ///< test contexts that are taken; 0 = all
  uint64_t seed = 0;
  Machine machine = {};  ///< that works, in place of the run's
  std::vector<std::string> moved_models;
};

/// Looks at the clean, noisy and attacked images of a finished run under its test contexts. Every other
/// context chooses the latents (LatentTests, against a false-discovery rate of 5 %); with the others it is
/// asked what the attack still does when the strongest are held (clamp_check). Writes heat maps and a row of
/// features.jsonl into the run. Throws Error for fewer than twenty test contexts, for an autoencoder that is
/// not of the run's model (checked_hook) or learned from replies only, and as read_run_material; nothing is
/// written then.
FeatureRow find_features(const FeatureConfig& config, const std::function<void(const std::string&)>& note,
                         std::stop_token stop);

}  // namespace hijack
