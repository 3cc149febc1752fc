#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "defenses/defense.h"
#include "models/load_model.h"

namespace hijack {

/// What defenses need besides their parameters. Only those that use a resource complain when it is missing.
struct DefenseResources {
  std::shared_ptr<const LanguageModel> scorer = {};       ///< perplexity, retokenization
  std::shared_ptr<const LanguageModel> paraphraser = {};  ///< paraphrase
  /// What honest users submit, kept apart from every evaluation split: thresholds are fitted on it. Detectors
  /// that look at images use the submissions that have one: give different images.
  std::vector<Submission> benign = {};
  /// Share of benign submissions that a detector may reject when its threshold is fitted, in [0,1)
  /// (calibration.h); 0 = the threshold is the largest benign score (Jain et al. 2023).
  double false_positive_rate = 0;
  /// The defender's own model: image features (cider), losses of replies (judge, ecso).
  std::shared_ptr<const VisionLanguageModel> model = {};
  /// The bare model: detectors that score replies ask it about benign submissions to fit their threshold.
  /// Many detectors ask the same: it may remember its replies.
  Responder respond = {};
  /// Told before a threshold is fitted: on so many benign submissions, which may take minutes.
  std::function<void(const std::string& defense, int64_t submissions)> on_fit = {};
  /// SHA-256 of the files that decide what `model` computes: what was trained on its states belongs to it
  /// alone.
  std::function<std::string()> model_sha256 = {};
  /// Gives the model of a folder that a defense names (own_model.h): the same one to all that name it.
  std::function<std::shared_ptr<const VisionLanguageModel>(const std::string& folder)> load = {};

  void tell_fit(const std::string& defense, size_t submissions) const {
    if (on_fit) on_fit(defense, static_cast<int64_t>(submissions));
  }
};

}  // namespace hijack
