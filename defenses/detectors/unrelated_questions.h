#pragma once
#include "defenses/detectors/detectors.h"
#include "defenses/detectors/logistic.h"
#include "defenses/detectors/trained_file.h"

namespace hijack {

/// What a model answers to the unrelated questions after it has replied: log P(yes) - log P(no) at the first
/// token of each answer, summed over spellings (Pacchiardi et al. 2023, arXiv:2309.15840, section 4). The
/// image stays in the conversation. Each question is asked separately, over the prefix that all share.
class QuestionFeatures {
 public:
  /// tokens: of the reply that stay in the conversation. Throws Error for a tokenizer that cannot tell "yes"
  /// from "no" by the first token.
  QuestionFeatures(std::shared_ptr<const VisionLanguageModel> model, int64_t tokens);

  /// float64 [n,48]: of each submission (with its image, or none for a language model) and the reply it got.
  Tensor of(const std::vector<Submission>& submissions, const std::vector<std::string>& replies) const;

 private:
  Tensor of_one(const Pixels& pixels, const Submission& submission, const std::string& reply) const;

  std::shared_ptr<const VisionLanguageModel> model_;
  int64_t tokens_;
  std::vector<int64_t> yes_, no_;  ///< first tokens of their spellings
};

/// Lie detection by unrelated questions, turned on images: a logistic regression of the answers tells replies
/// that an image has forced from honest ones. Score: its probability of a forced one. Needs examples of both
/// kinds. An adaptive attack has nothing to work on but the reply itself, so its figure is the static one.
class UnrelatedQuestions : public ReplyDetector {
 public:
  static constexpr const char* kName = "unrelated_questions";
  static constexpr const char* kHelp =
      "rejects replies after which the model answers 48 unrelated questions as it does when an image "
      "controls it (Pacchiardi et al. 2023; departs: questions in our words, trained on hijacks instead of "
      "lies)";

  using Parameters = LearnedParameters;

  /// Throws Error without model, as read_trained, and as ReplyDetector::fit_on_replies.
  UnrelatedQuestions(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }
  double ceiling() const override { return 1; }
  std::vector<double> scores(const std::vector<Submission>& submissions,
                             const std::vector<std::string>& replies) const override;

 private:
  Parameters parameters_;
  TrainedFile file_;
  LogisticModel model_;
  std::unique_ptr<QuestionFeatures> features_;
};

}  // namespace hijack
