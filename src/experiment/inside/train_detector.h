#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/experiment/inside/examples.h"
#include "src/experiment/inside/learner.h"

// `hijack train detector`: detectors that learn from the runs of a model what a hijack looks like inside.

namespace hijack {

struct DetectorTrainConfig {
  std::string detector;                ///< unrelated_questions, linear_probe, mahalanobis or hidden_detect
  std::vector<std::string> runs;       ///< to learn from
  std::vector<std::string> test_runs;  ///< to be tested on; none: prompts held out of `runs`
  std::vector<std::string> moved_models;
  int64_t layer = -1;   ///< of the residual stream; -1 = the one that tells held-out prompts apart best
  int64_t tokens = 64;  ///< unrelated_questions: of a reply that stay in the conversation
  int64_t lies = 24;    ///< unrelated_questions: examples of each control
  std::string refused;  ///< hidden_detect: prompts that the model refuses; "" = shipped ones
  std::string out;
};

struct TrainedDetector {
  std::vector<SeparationRow> rows = {};
  int64_t layer = -1, first = 0, last = 0;       ///< what was chosen
  std::map<std::string, int64_t> examples = {};  ///< of each label
};

/// The names that DetectorTrainConfig::detector takes.
std::vector<std::string> trainable_detectors();

/// Learns, tests, and writes `out` (trained_file.h). Examples that teach: replies that an image forced
/// (`hijack`) against the same prompts with the clean photo and with noise. What the table says is of
/// examples that were not learned from: out-of-fold by prompt, or the test runs. Its controls: noise from
/// clean, the same with shuffled labels (both should be .5), and for unrelated questions lies by instruction.
/// Throws Error for runs of several models, fewer than ten examples of a kind, and a layer that there is not.
TrainedDetector train_detector(const DetectorTrainConfig& config,
                               const std::function<void(const std::string&)>& note);

nlohmann::json to_json(const TrainedDetector& trained);

}  // namespace hijack
