#include "defenses/detectors/unrelated_questions.h"

#include <ATen/ATen.h>

#include "defenses/detectors/first_tokens.h"
#include "defenses/detectors/unrelated_question_list.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr const char* kNeedsModel = "Defense 'unrelated_questions' needs the model whose replies it judges.";

}  // namespace

QuestionFeatures::QuestionFeatures(std::shared_ptr<const VisionLanguageModel> model, int64_t tokens)
    : model_(std::move(model)), tokens_(tokens) {
  if (!model_) throw Error(kNeedsModel);
  const std::vector<int64_t> yes = first_tokens(model_->tokenizer(), {"Yes", "yes", "YES"});
  const std::vector<int64_t> no = first_tokens(model_->tokenizer(), {"No", "no", "NO"});
  // a token that begins both (a lone space) tells nothing
  const auto own = [](const std::vector<int64_t>& ids, const std::vector<int64_t>& others) {
    std::vector<int64_t> kept;
    for (const int64_t id : ids)
      if (std::find(others.begin(), others.end(), id) == others.end()) kept.push_back(id);
    return kept;
  };
  yes_ = own(yes, no);
  no_ = own(no, yes);
  if (yes_.empty() || no_.empty())
    throw Error(
        "the tokenizer of this model begins 'yes' and 'no' with the same token, so unrelated_questions "
        "cannot read its answers.");
}

Tensor QuestionFeatures::of_one(const Pixels& pixels, const Submission& submission,
                                const std::string& reply) const {
  const Tokenizer& tokenizer = model_->tokenizer();
  TokenIds said = tokenizer.encode(reply, false);
  std::string kept = reply;
  if (static_cast<int64_t>(said.size()) > tokens_) {
    said.resize(static_cast<size_t>(tokens_));
    kept = tokenizer.decode(said, /*skip_special_tokens=*/true);
  }
  std::vector<Query> queries;
  for (const UnrelatedQuestion& question : unrelated_questions()) {
    Query query{question.text, submission.query.system, submission.query.earlier};
    query.earlier.push_back({submission.query.prompt, kept});
    queries.push_back(std::move(query));
  }
  const std::vector<TokenIds> targets(queries.size(), TokenIds{static_cast<TokenId>(yes_[0])});
  std::vector<Tensor> answers;
  for (size_t begin = 0; begin < queries.size(); begin += kRepliesAtOnce) {
    const size_t count = std::min(kRepliesAtOnce, queries.size() - begin);
    for (const Tensor& logits : model_->target_logits(pixels, std::span(queries).subspan(begin, count),
                                                      std::span(targets).subspan(begin, count)))
      answers.push_back(logits[0].to(at::kDouble).cpu().log_softmax(-1));
  }
  const Tensor all = at::stack(answers);  // [48,V]
  const auto mass = [&](const std::vector<int64_t>& ids) {
    return all.index_select(1, at::tensor(ids, at::kLong)).logsumexp(1);
  };
  return mass(yes_) - mass(no_);
}

Tensor QuestionFeatures::of(const std::vector<Submission>& submissions,
                            const std::vector<std::string>& replies) const {
  TORCH_CHECK(submissions.size() == replies.size(), "one reply for each submission");
  const at::NoGradGuard no_gradients;
  std::vector<Tensor> rows;
  Tensor last;
  Pixels pixels;
  for (size_t i = 0; i < submissions.size(); ++i) {
    const Tensor& image = submissions[i].image;
    // submissions that follow each other often share their image, and so the tower's pass
    if (i == 0 || !same_image(image, last))
      pixels = model_->preprocess(image.defined() ? image.to(model_->device()) : image);
    last = image;
    rows.push_back(of_one(pixels, submissions[i], replies[i]));
  }
  return rows.empty() ? at::zeros({0, static_cast<int64_t>(unrelated_questions().size())}, at::kDouble)
                      : at::stack(rows);
}

UnrelatedQuestions::UnrelatedQuestions(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters) {
  parameters_.check();
  if (!resources.model)
    throw Error("Defense 'unrelated_questions' needs a model whose answers it can score.");
  file_ = read_trained(parameters_.file, resources, kName);
  model_ = LogisticModel::of(file_.tensors, file_.where);
  const auto questions = static_cast<int64_t>(unrelated_questions().size());
  if (model_.weights.size(0) != questions)
    throw Error(file_.where + " was trained on " + std::to_string(model_.weights.size(0)) +
                " questions, not on the " + std::to_string(questions) + " that there are.");
  features_ = std::make_unique<QuestionFeatures>(resources.model, file_.number("tokens", 1, 4096));
  fit_on_replies(parameters_.limit, resources);
}

std::vector<double> UnrelatedQuestions::scores(const std::vector<Submission>& submissions,
                                               const std::vector<std::string>& replies) const {
  if (submissions.empty()) return {};
  const Tensor logits = model_.logits(features_->of(submissions, replies));
  std::vector<double> all;
  for (int64_t i = 0; i < logits.size(0); ++i) all.push_back(logistic(logits[i].item<double>()));
  return all;
}

}  // namespace hijack
