#include "defenses/detectors/reply_score.h"

#include "defenses/image/denoise.h"
#include "defenses/kinds.h"
#include "defenses/parameters.h"
#include "models/log_likelihood.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/text.h"

namespace hijack {
namespace {

constexpr const char* kPromptPlace = "{prompt}";
constexpr const char* kReplyPlace = "{reply}";
constexpr const char* kGray = "gray";

}  // namespace

void ReplyScorer::Parameters::check() const {
  check_choice("by", by, {"loss", "question"});
  std::vector<std::string> references = denoiser_names();
  references.insert(references.begin(), "gray");
  check_choice("reference", reference, references);
  check_range("tokens", static_cast<double>(tokens), 1, 4096);
  for (const char* place : {kPromptPlace, kReplyPlace})
    if (question.find(place) == std::string::npos)
      throw Error(std::string("Defense parameter 'question' must have ") + place + " in it.");
  if (accept.empty() || reject.empty() || accept == reject)
    throw Error("Defense parameters 'accept' and 'reject' must be two different answers, as yes and no.");
}

ReplyScorer::ReplyScorer(const Parameters& parameters, const DefenseResources& resources,
                         const std::string& defense)
    : parameters_(parameters), model_(resources.model) {
  parameters_.check();
  if (parameters_.own.given()) {
    model_ = own_model(parameters_.own, resources, defense);
    if (!model_->takes_images() && parameters_.reference != kGray)
      throw Error("Defense '" + defense + "' cannot show reference=" + parameters_.reference + " to " +
                  parameters_.own.model + ", which takes no images: leave 'reference' out.");
  }
  if (!model_) throw Error("Defense '" + defense + "' needs a vision-language model that can judge replies.");
}

Tensor ReplyScorer::reference(const Tensor& image) const {
  if (parameters_.reference != kGray) return quantize(denoised(parameters_.reference, image));
  const ImageSpec spec = model_->image_spec();  // the same for all images: one vision pass serves them all
  return at::full({1, 3, spec.height, spec.width}, 128.0 / 255, at::kFloat);
}

std::vector<double> ReplyScorer::losses(const std::vector<Submission>& submissions,
                                        const std::vector<Query>& queries,
                                        const std::vector<TokenIds>& targets) const {
  at::NoGradGuard no_grad;
  std::vector<double> all(queries.size());
  std::map<uint64_t, std::vector<size_t>> groups;  // queries that share a reference image
  const bool gray = parameters_.reference == kGray;
  for (size_t i = 0; i < queries.size(); ++i)
    groups[gray ? 0 : content_key(submissions[i].image)].push_back(i);
  for (const auto& [key, members] : groups) {
    Pixels pixels;
    if (model_->takes_images())
      pixels = model_->preprocess(reference(submissions[members[0]].image).to(model_->device()));
    std::vector<Query> asked;
    std::vector<TokenIds> wanted;
    for (const size_t i : members) asked.push_back(queries[i]), wanted.push_back(targets[i]);
    const std::vector<double> likely = log_likelihoods(*model_, pixels, asked, wanted);
    for (size_t k = 0; k < members.size(); ++k) all[members[k]] = -likely[k];
  }
  return all;
}

std::vector<double> ReplyScorer::doubts(const std::vector<Submission>& submissions,
                                        const std::vector<TokenIds>& replies) const {
  std::vector<Query> queries;
  for (size_t i = 0; i < submissions.size(); ++i) {
    const std::string reply = model_->tokenizer().decode(replies[i], true);
    queries.push_back(
        {.prompt = filled_pattern(parameters_.question,
                                  {{kPromptPlace, submissions[i].query.prompt}, {kReplyPlace, reply}})});
  }
  const auto answered = [&](const std::string& answer) {
    return losses(submissions, queries,
                  std::vector<TokenIds>(queries.size(), model_->tokenizer().encode(answer, false)));
  };
  const std::vector<double> accepted = answered(parameters_.accept), rejected = answered(parameters_.reject);
  std::vector<double> doubts;
  for (size_t i = 0; i < queries.size(); ++i) doubts.push_back(1 / (1 + std::exp(rejected[i] - accepted[i])));
  return doubts;
}

std::vector<double> ReplyScorer::scores(const std::vector<Submission>& submissions,
                                        const std::vector<std::string>& replies) const {
  TORCH_CHECK(submissions.size() == replies.size(), "one reply for each submission");
  std::vector<size_t> places;
  std::vector<Submission> scored;
  std::vector<Query> queries;
  std::vector<TokenIds> targets;
  for (size_t i = 0; i < replies.size(); ++i) {
    TokenIds ids = model_->tokenizer().encode(replies[i], false);
    if (ids.empty()) continue;
    ids.resize(std::min(ids.size(), static_cast<size_t>(parameters_.tokens)));
    places.push_back(i);
    scored.push_back(submissions[i]);
    queries.push_back(submissions[i].query);
    targets.push_back(std::move(ids));
  }
  const bool by_loss = parameters_.by == "loss";
  const std::vector<double> found = by_loss ? losses(scored, queries, targets) : doubts(scored, targets);
  std::vector<double> all(replies.size());
  for (size_t k = 0; k < places.size(); ++k)
    all[places[k]] = by_loss ? found[k] / static_cast<double>(targets[k].size()) : found[k];
  return all;
}

}  // namespace hijack
