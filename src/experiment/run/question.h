#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "defenses/pipeline.h"
#include "src/experiment/plan/config.h"
#include "src/experiment/run/defense_setup.h"

// What was asked of whom behind what: the key under which a reply is kept, so that an evaluation with other
// settings asks again, and one with the same settings does not.

namespace hijack {

/// Defenses with all that their verdicts depend on besides the submission.
struct IdentifiedStack {
  DefenseStack defenses;
  /// {"defense": name}, and where a threshold was fitted "false_positive_rate", "calibration_prompts", the
  /// digest of the benign prompts, and "calibrated_on", that of the benign submissions: it differs between
  /// attacked photos, which are kept out of them. "own_model_sha256": hashes of the models that defenses have
  /// of their own. Null for the bare model.
  nlohmann::json record = {};
  /// Of the record, where models of defenses count by content only; "" for the bare model.
  std::string digest = {};
  std::vector<std::string> models = {};  ///< folders of the defenses' own models
  nlohmann::json prompts = {};  ///< prompt_digest of each benign prompt, where a threshold was fitted
  std::string name() const { return stack_name(defenses); }
};
/// Makes the defenses of a trial.
IdentifiedStack make_stack(DefenseMaker& maker, const std::vector<std::string>& specs,
                           const DefenseMaker::Situation& situation);

/// The thresholds of a stack as the manifest lists them ("calibrations").
nlohmann::json calibration_entries(const IdentifiedStack& stack);

/// Keys of questions to one model.
class QuestionKeys {
 public:
  /// model: its folder; the config's load_options decide how it is loaded. victim: who is asked in its place
  /// (victim.h).
  QuestionKeys(const std::string& model, const AttackConfig& config, const ReplySettings& replies,
               const std::string& victim = {});
  /// Equal exactly when model, defenses, image values, prompt, reply length, way of drawing and draw are.
  std::string of(const Submission& submission, const IdentifiedStack& stack);

 private:
  std::string hash_of(const Tensor& image);

  nlohmann::json model_;
  Tensor last_image_;  // the next submission often shares it
  std::string last_hash_;
};

}  // namespace hijack
