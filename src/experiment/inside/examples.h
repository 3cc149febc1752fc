#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "defenses/defense.h"
#include "models/vision_language_model.h"
#include "src/experiment/plan/machine.h"
#include "src/experiment/run/run_material.h"

// What detectors learn from: conversations of runs, of which it is known what the image did.

namespace hijack {

/// "hijack": the attack's image got what it wanted; "failed": it did not; "clean", "noise": the photo, and
/// with noise of equal size; "lie": the clean photo, and a system prompt that asks for lies. Of
/// add_swaps: "honest": the attack's image with the reply to the clean photo put in the model's mouth;
/// "forced": the clean photo with the reply that the attack forced.
struct DetectorExample {
  std::string label;
  Submission submission;
  std::string reply;
  const TrialRow* trial = nullptr;  ///< whose reply it is (DetectorExamples::trials)
};

/// Of one model.
struct DetectorExamples {
  std::shared_ptr<const VisionLanguageModel> model = {};
  std::filesystem::path model_folder = {};
  std::string model_name = {}, model_sha256 = {};
  std::vector<DetectorExample> all = {};
  std::vector<std::shared_ptr<const std::vector<TrialRow>>> trials = {};  ///< of each run

  /// Those with one of the labels.
  std::vector<const DetectorExample*> with(const std::vector<std::string>& labels) const;
  std::vector<Submission> submissions() const;
  std::vector<std::string> replies() const;
  /// Throws Error where there are fewer than ten replies that an image has forced, or honest ones ("clean",
  /// "noise").
  void check_enough() const;
};

/// Of the replies that the bare model gave in the runs. others: examples whose model these must be of, or
/// null. The model is loaded and computes as `machine` says. Throws Error as read_run_material, and for runs
/// of different models.
DetectorExamples read_examples(const std::vector<std::string>& runs,
                               const std::vector<std::string>& moved_models,
                               const DetectorExamples* others = nullptr, const Machine& machine = {});

/// Adds at most `most` examples with the label "lie": the clean photos' prompts, asked again with a system
/// prompt that tells the model to lie.
void add_lies(DetectorExamples& examples, int64_t most);

/// Adds at most `most` examples with each of the labels "honest" and "forced", from hijacks and clean photos
/// of one trial with the same prompt: what shows the image, and what shows only the reply.
void add_swaps(DetectorExamples& examples, int64_t most);

}  // namespace hijack
