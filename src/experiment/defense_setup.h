#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attacks/behavior.h"
#include "defenses/pipeline.h"
#include "defenses/resources.h"
#include "src/experiment/config.h"

namespace hijack {

/// The bare model as a responder: submissions that share an image are decoded together; those without image
/// are answered by its decoder alone.
Responder bare_model(std::shared_ptr<const VisionLanguageModel> model, int64_t max_new_tokens);

/// What defenses of `model` need. Their thresholds are fitted on the prompts `calibration`, each with a
/// picture that no evaluation asks about: in turn a generated scene (other ones than the utility questions
/// show) and a shipped photograph, `attacked` [1,3,H,W] excepted.
DefenseResources defense_resources(const std::shared_ptr<const VisionLanguageModel>& model,
                                   const std::vector<Context>& calibration, const Tensor& attacked,
                                   int64_t max_new_tokens);

/// Makes the defenses of trials. Each is made, and its threshold fitted, once for the same model, calibration
/// prompts, attacked photo and parameters. Keeps what belongs to the last model.
class DefenseMaker {
 public:
  /// What thresholds depend on besides the parameters.
  struct Situation {
    std::shared_ptr<const VisionLanguageModel> model;
    const AttackConfig& config;               ///< names the model
    const std::vector<Context>& calibration;  ///< prompts
    Tensor origin;                            ///< the attacked photo [1,3,H,W]
    int64_t reply_tokens = 0;
    double false_positive_rate = 0;
  };
  /// `specs` outermost first. Throws Error as make_defense does; names the contexts file when it has no
  /// calibration prompts and a defense needs them.
  DefenseStack make(const std::vector<std::string>& specs, const Situation& situation);

 private:
  std::string model_;
  std::map<std::string, DefenseResources> resources_;
  std::map<std::string, std::shared_ptr<const Defense>> made_;
};

}  // namespace hijack
