#pragma once
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attacks/behavior.h"
#include "defenses/pipeline.h"
#include "defenses/resources.h"
#include "src/experiment/plan/config.h"
#include "src/experiment/run/other_models.h"
#include "src/experiment/run/submitted_image.h"

namespace hijack {

/// How replies are asked for. A reply that is drawn depends on the settings and the submission, never on what
/// else is asked.
struct ReplySettings {
  int64_t max_new_tokens = 0;
  SamplingConfig sampling = {};
  uint64_t seed = 0;
};

/// Each of them `draws` times, one after the other.
std::vector<Submission> with_draws(const std::vector<Submission>& submissions, int64_t draws);

/// The bare model as a responder: submissions that share an image are decoded together, and so are several
/// images where the model can (replies_of_images); those without image are answered by its decoder alone.
Responder bare_model(std::shared_ptr<const VisionLanguageModel> model, const ReplySettings& settings);

/// `next`, which is never asked the same submission twice. Keeps every reply: for models that answer the same
/// submission always alike.
Responder remembered(Responder next);

/// What honest users submit, for thresholds: each of the prompts with a picture of its own that no evaluation
/// asks about (a language model gets none), in turn a scene and a photograph that shows none of `attacked`
/// (photos of the attack, [1,3,H,W], in any size).
std::vector<Submission> benign_submissions(BenignPictures& pictures, const std::vector<Context>& prompts,
                                           const std::vector<Tensor>& attacked);

/// What defenses of `model` need besides benign submissions. folder: where it was loaded from, so that a
/// defense that names a copy of it as its own shares it; options: how other folders are loaded, each once.
DefenseResources defense_resources(const std::shared_ptr<const VisionLanguageModel>& model,
                                   const ReplySettings& settings, const std::filesystem::path& folder,
                                   const LoadOptions& options);

/// What a manifest keeps of a calibration:
///   defense, threshold, n (0 = the user gave the threshold), alpha, quantile (1 - alpha)
///   false_alarm_bound  what the rank guarantees (calibration.h); null = nothing
///   ceiling            largest score that the detector can give; null = unbounded
///   can_fire           whether any score lies above the threshold
///   fitted_on          in words; fitted_on_sha256: of the benign submissions, "" where the user gave the
///                      threshold
///   evaluated_on       in words
nlohmann::json calibration_entry(const Calibration& calibration);

/// Makes the defenses of trials. Each is made, and its threshold fitted, once for the same model, space,
/// calibration prompts, attacked photos and parameters; the bare model answers each benign submission once
/// for all of them. Keeps what belongs to the last model.
class DefenseMaker {
 public:
  /// on_note: told what takes a while, in words.
  explicit DefenseMaker(std::function<void(const std::string&)> on_note = {})
      : on_note_(std::move(on_note)) {}
  /// What thresholds depend on besides the parameters.
  struct Situation {
    std::shared_ptr<const VisionLanguageModel> model;
    const AttackConfig& config;               ///< names the model, and the space of images
    const std::vector<Context>& calibration;  ///< prompts
    std::vector<Tensor> attacked;             ///< all photos of the trial, [1,3,H,W] each
    int64_t reply_tokens = 0;
    double false_positive_rate = 0;
  };
  /// `specs` outermost first. Throws Error as make_defense does; names the contexts file when it has no
  /// calibration prompts and a defense needs them.
  DefenseStack make(const std::vector<std::string>& specs, const Situation& situation);
  /// What else the trials share.
  OtherModels& others() { return others_; }

 private:
  const DefenseResources& resources_for(const std::string& key, const Situation& situation);

  std::function<void(const std::string&)> on_note_;
  OtherModels others_;
  std::string model_;
  std::map<std::string, BenignPictures> pictures_;  ///< by space
  std::map<std::string, Responder> answers_;        ///< by length and way of drawing
  decltype(DefenseResources::load) load_;
  std::map<std::string, DefenseResources> resources_;
  std::map<std::string, std::shared_ptr<const Defense>> made_;
};

}  // namespace hijack
