#include "src/experiment/evaluate/model_judge.h"

#include "attacks/behaviors/text.h"
#include "models/endpoint/chat_body.h"
#include "models/endpoint/endpoint.h"
#include "models/endpoint/scoring.h"
#include "models/families/decoder_language_model.h"
#include "src/base/error.h"

namespace hijack {
namespace {

using nlohmann::json;

bool probabilistic(const Rubric& rubric) {
  return rubric.reading == Rubric::Reading::kProbability;
}

/// Tokens that are the word, case and white space around it aside.
TokenIds tokens_that_are(const Tokenizer& tokenizer, std::string_view word) {
  TokenIds ids;
  for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id) {
    if (tokenizer.is_special(id)) continue;
    try {
      if (simplified(tokenizer.decode({&id, 1}, false)) == word) ids.push_back(id);
    } catch (const Error&) {
      // a hole in the vocabulary
    }
  }
  return ids;
}

std::string shown_probability(const Verdict& verdict) {
  if (!verdict.score) return "neither Yes nor No";
  char text[48];
  std::snprintf(text, sizeof text, "P(Yes) %.6f", *verdict.score);
  return text;
}

}  // namespace

ModelJudge::ModelJudge(std::shared_ptr<const LanguageModel> model, Rubric rubric)
    : rubric_(std::move(rubric)), model_(std::move(model)) {
  if (!probabilistic(rubric_)) return;
  if (dynamic_cast<const DecoderLanguageModel*>(model_.get()) == nullptr)
    throw Error("The rubric " + rubric_.name +
                " reads the probabilities of the first token, which this judge does not show.");
  yes_ = tokens_that_are(model_->tokenizer(), "yes");
  no_ = tokens_that_are(model_->tokenizer(), "no");
  if (yes_.empty() || no_.empty())
    throw Error(
        "The rubric " + rubric_.name +
        " reads the probabilities of Yes and No, and the tokenizer of this judge has no token for one of "
        "them.");
}

ModelJudge::ModelJudge(std::shared_ptr<const EndpointClient> client, Rubric rubric)
    : rubric_(std::move(rubric)),
      client_(std::move(client)),
      model_(std::make_shared<const EndpointModel>(client_)) {}

std::vector<JudgedAnswer> ModelJudge::by_probability(std::span<const Query> questions) const {
  const std::vector<TokenIds> any(questions.size(), TokenIds{yes_[0]});  // the scores in its place are wanted
  const auto logits = dynamic_cast<const DecoderLanguageModel&>(*model_).target_logits(questions, any);
  const auto mass = [&](const Tensor& row, const TokenIds& ids) {
    return row.index_select(0, at::tensor(ids, at::kLong)).logsumexp(0).item<double>();
  };
  std::vector<JudgedAnswer> answers;
  for (const Tensor& each : logits) {
    const Tensor row = each[0].to(at::kDouble).cpu().log_softmax(-1);  // [V]
    const Verdict verdict = verdict_of_probability(mass(row, yes_), mass(row, no_));
    answers.push_back({verdict, shown_probability(verdict)});
  }
  return answers;
}

std::vector<JudgedAnswer> ModelJudge::by_first_token_of_answers(std::span<const Query> questions) const {
  std::vector<json> requests;
  for (const Query& question : questions)
    requests.push_back(first_token_body(client_->model(), question, ""));
  std::vector<JudgedAnswer> answers;
  for (const json& one : client_->ask_all("/chat/completions", requests, check_scores_first_token)) {
    const Verdict verdict =
        verdict_of_probability(first_token_logprob(one, "yes"), first_token_logprob(one, "no"));
    answers.push_back({verdict, shown_probability(verdict)});
  }
  return answers;
}

std::vector<JudgedAnswer> ModelJudge::ask(std::span<const Query> questions) const {
  if (probabilistic(rubric_))
    return client_ ? by_first_token_of_answers(questions) : by_probability(questions);
  const at::NoGradGuard no_grad;
  std::vector<JudgedAnswer> answers;
  for (const Generated& said : model_->generate(questions, {.max_new_tokens = rubric_.answer_tokens}))
    answers.push_back({read_verdict(rubric_, said.text), said.text});
  return answers;
}

}  // namespace hijack
