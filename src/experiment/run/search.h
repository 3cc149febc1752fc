#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "src/experiment/run/trial_parts.h"

// How a trial looks for what steers the model. Every method ends in the same measurement (trial.h).

namespace hijack {

/// Of a photo that is another picture once it is resized: who resizes it, and what was wanted.
struct ReadBack {
  std::string reader;                         ///< in words
  Tensor wanted;                              ///< [1,3,h,w] on the lattice
  std::function<Tensor(const Tensor&)> read;  ///< the deployed resize, [1,3,H,W] -> shaped as wanted
};

/// What a search has found, and what its control is.
struct Found {
  Tensor image;                                        ///< of the attack, [1,3,H,W] on the lattice
  Tensor noise;                                        ///< the same budget without the search
  std::string suffix, noise_suffix;                    ///< after each prompt; "" = none
  Constraint budget;                                   ///< that the saved file is measured against
  double most_levels = 255;                            ///< and the most that any pixel may differ, in 1/255
  std::string constraint, constraint_name, optimizer;  ///< as the row names them
  std::vector<double> losses;
  int64_t steps = 0;
  int64_t best_step = -1;
  std::string stopped = {};  ///< why before planned_steps: "validation reached 100 %"
  double seconds_per_step = 0;
  std::optional<ReadBack> read_back = {};
  int64_t idle_steps = 0;                     ///< TrialRow::idle_steps
  std::vector<int64_t> surrogate_steps = {};  ///< that each took part in; empty = all in all of them
};

/// By config.method. nullopt when stopped. Throws Failure when a loss is not finite, after it has saved the
/// last good image.
std::optional<Found> search(const TrialParts& parts);

// One function per method.

/// Gradient descent on the pixels, or a black-box optimizer (attacks/attack.h); from the trial's checkpoint,
/// if there is one.
std::optional<Found> search_image(const TrialParts& parts);
/// Text drawn into the photo (attacks/text/typographic.h), chosen on validation contexts.
std::optional<Found> search_lettering(const TrialParts& parts);
/// A suffix of the prompt over the clean photo (attacks/text/gcg.h).
std::optional<Found> search_suffix(const TrialParts& parts);
/// The photo that is another picture once it is resized (attacks/scaling/scaling.h); no model is asked.
std::optional<Found> search_scaling(const TrialParts& parts);
/// Image and suffix in turns: config.joint_rounds times a share of the image's steps, then of the suffix's.
/// The best pair on validation contexts is kept. A killed search begins anew.
std::optional<Found> search_jointly(const TrialParts& parts);

}  // namespace hijack
