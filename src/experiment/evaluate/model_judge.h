#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/endpoint/client.h"
#include "models/language_model.h"
#include "src/experiment/plan/judges.h"

namespace hijack {

/// What a model answered, and what it means by the rubric.
struct JudgedAnswer {
  Verdict verdict;
  std::string answer;
};

/// A model that judges by a rubric: here, or behind an API.
class ModelJudge {
 public:
  /// Throws Error for a rubric that reads probabilities where the model shows none without a picture.
  ModelJudge(std::shared_ptr<const LanguageModel> model, Rubric rubric);
  ModelJudge(std::shared_ptr<const EndpointClient> client, Rubric rubric);

  const Rubric& rubric() const { return rubric_; }
  /// One answer for each question. Throws as LanguageModel and EndpointClient do.
  std::vector<JudgedAnswer> ask(std::span<const Query> questions) const;

 private:
  std::vector<JudgedAnswer> by_probability(std::span<const Query> questions) const;
  std::vector<JudgedAnswer> by_first_token_of_answers(std::span<const Query> questions) const;

  Rubric rubric_;
  std::shared_ptr<const EndpointClient> client_;  ///< null: the model is here
  std::shared_ptr<const LanguageModel> model_;
  TokenIds yes_ = {}, no_ = {};  ///< every token that is one of the words
};

}  // namespace hijack
