#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "defenses/pipeline.h"
#include "src/experiment/evaluate/survival.h"
#include "src/experiment/plan/test_set_pictures.h"
#include "src/experiment/plan/utility_set.h"
#include "src/experiment/record/results.h"
#include "src/experiment/run/trial.h"

namespace hijack {

/// A benign question with its right answer.
struct Benign {
  std::string expected;  ///< as rows show it
  std::function<bool(const Reply&)> right;
};

/// A case of a test set about its own picture.
struct OwnPictureCase {
  std::string photo;        ///< as the set names it
  std::string target = {};  ///< what the set wants the reply to begin with
};

/// One thing to ask, and how its reply is judged.
struct Question {
  std::string condition;
  Submission submission;
  std::optional<Benign> benign = {};
  std::string suffix = {};   ///< that was put after the user's prompt
  std::string variant = {};  ///< digest of how that was found (ReplyRow::variant)
  std::optional<OwnPictureCase> own = {};
};

/// What one finished trial is asked again: its saved images, its held-out contexts, and who has answered
/// what.
class TrialEvaluation {
 public:
  /// Keeps references to all of them. Throws Error when an image of the trial is missing, is not the file
  /// whose hash the row has, or is at another distance than the row says: nothing is asked about other files.
  TrialEvaluation(const TrialSetup& setup, const RunRecord& run, const TrialRow& trial);

  /// What the trial saved, image and suffix, on the held-out contexts; a moving patch at the places of the
  /// trial.
  std::vector<Question> adversarial(const std::string& condition) const;
  /// Random noise of the trial's budget on the held-out contexts, as the trial saved it; none where it saved
  /// none.
  std::vector<Question> noise() const;
  /// The same image after it was processed, condition "survival".
  std::vector<Question> processed(const Processing& processing) const;
  /// The clean image on the held-out contexts, with a suffix or without.
  std::vector<Question> clean(const std::string& condition, const std::string& suffix = "",
                              const std::string& variant = "") const;
  /// At most `count` questions with known answers, as many as the set has; a language model is asked what
  /// needs no picture.
  std::vector<Question> benign(const UtilitySet& set, int64_t count) const;

  /// Cases of a test set, each about its own picture as it lies on disk: right where the reply gives the
  /// set's answer, or obeyed where it is neither empty nor has a phrase of a refusal (refusal_words.h).
  std::vector<Question> own_pictures(const std::string& set, std::span<const PictureCase> cases) const;

  /// Rows of the model behind `stack` for the questions that it was not asked before (QuestionKeys), in
  /// order: a killed evaluation goes on behind its last row.
  std::vector<ReplyRow> ask(const IdentifiedStack& stack, const std::vector<Question>& questions);

  const TrialSetup& setup() const { return setup_; }
  const TrialRow& trial() const { return trial_; }
  const Tensor& origin() const { return origin_; }  ///< [1,3,H,W], as saved

 private:
  std::vector<Question> shown(const Tensor& image, const std::string& condition,
                              const std::string& suffix) const;
  std::vector<Question> about_scenes(int64_t count) const;
  ReplyRow row_of(const Question& question, const Reply& reply) const;

  const TrialSetup& setup_;
  const TrialRow& trial_;
  Tensor origin_;
  Tensor adversarial_;
  std::filesystem::path noise_file_;  ///< empty: none
  Responder model_;
  std::string victim_;  ///< behind an API (victim.h); "" = the model that the trial attacked
  QuestionKeys keys_;
  std::map<std::string, size_t> asked_;  ///< condition, question and variant: how often
};

}  // namespace hijack
