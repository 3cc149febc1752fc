#pragma once
#include <limits>
#include <string>
#include <vector>

#include "src/experiment/report/aggregate/settings.h"

namespace hijack::report {

/// What one image encoder makes of a setting's saved images: cosines of embeddings, means over trials; NaN
/// without target.
struct EncoderSummary {
  const Setting* setting = nullptr;
  std::string encoder;
  bool held_out = false;                           ///< the images were not optimized on it
  std::string photos;                              ///< EncoderRow::photos
  double attack = 0, clean = 0, noise = 0;         ///< to the target
  double attack_to_clean = 0, noise_to_clean = 0;  ///< to the clean photo
  Rate attack_nearer, noise_nearer;                ///< photos closer to the target than to the clean photo
  /// Of a trial, that it took part in, where steps work on some surrogates only; NaN elsewhere.
  double steps = std::numeric_limits<double>::quiet_NaN();
};
/// Of settings with surrogates, in their order; surrogates first. Trials outside their budget count as
/// failed: their images are nowhere nearer.
std::vector<EncoderSummary> encoder_summaries(const std::vector<Setting>& settings);

/// "surrogate", "held out", "surrogate, held-out photos".
std::string role_of(const EncoderSummary& summary);

/// Whether a step of some setting worked on some surrogates only.
bool some_were_chosen(const std::vector<EncoderSummary>& all);

/// Whether nobody was asked for replies in a trial: image encoders alone were attacked.
bool asked_nobody(const TrialRow& trial);

/// "For the encoders that they were made with, images are nearer to the target than to the clean photo in 2
/// of 3 measurements; for others ...", or their mean cosine to the clean photo where there is no target.
std::string encoders_headline(const std::vector<EncoderSummary>& all);

}  // namespace hijack::report
