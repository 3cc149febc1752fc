#include "defenses/detectors/cider.h"

#include "defenses/image/denoise.h"
#include "models/embedding_access.h"
#include "src/base/error.h"
#include "src/base/tensor_math.h"

namespace hijack {
namespace {

constexpr size_t kMostTexts = 16;  // benign prompts that an attacker averages over

}  // namespace

void Cider::Parameters::check() const {
  check_choice("denoiser", denoiser, denoiser_names());
  check_range("rounds", static_cast<double>(rounds), 1, 20);
  check_choice("pool", pool, {"mean", "tokens"});
  check_choice("against", against, {"text", "image"});
  limit.check();
}

Cider::Cider(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters), model_(resources.model) {
  parameters_.check();
  if (!model_) throw Error("Defense 'cider' needs a vision-language model whose image features it can use.");
  std::set<std::string> prompts;
  if (parameters_.against == "text")
    for (const Submission& benign : resources.benign)
      if (benign_texts_.size() < kMostTexts && prompts.insert(benign.query.prompt).second)
        if (const Tensor text = text_of(benign.query.prompt); text.defined()) benign_texts_.push_back(text);
  fit(parameters_.limit, resources, [&](const std::vector<Submission>& benign) {
    std::vector<double> scores;
    for (const Verdict& verdict : verdicts(benign, {})) scores.push_back(verdict.score);
    return scores;
  });
}

uint64_t Cider::score_key(const Submission& submission) const {
  return parameters_.against == "image" ? content_key(submission.image) : content_key(submission);
}

std::string Cider::counted() const {
  return parameters_.against == "image" ? "different benign images" : SubmissionDetector::counted();
}

std::vector<Tensor> Cider::rounds_of(const Tensor& image) const {
  const auto features = [&](const Tensor& seen) {
    const Tensor all =
        at_least_float(model_->image_features(model_->preprocess(seen))).flatten(0, 1);  // [T_img, D]
    return parameters_.pool == "mean" ? all.mean(0, true) : all;
  };
  std::vector<Tensor> rounds = {features(image)};
  Tensor cleaner = image;
  for (int64_t round = 0; round < parameters_.rounds; ++round) {
    cleaner = denoised(parameters_.denoiser, cleaner);
    rounds.push_back(features(cleaner));
  }
  return rounds;
}

Tensor Cider::text_of(const std::string& prompt) const {
  if (model_->target_ids(prompt).empty()) return {};
  const at::NoGradGuard no_grad;
  return at_least_float(text_states(*model_, prompt, 0)).flatten(0, 1).mean(0, true);
}

Tensor Cider::image_score(const Tensor& image) const {
  const std::vector<Tensor> rounds = rounds_of(image);
  if (benign_texts_.empty()) return similarity_drop(rounds[0], rounds);
  Tensor sum;
  for (const Tensor& text : benign_texts_) {
    const Tensor drop = similarity_drop(text, rounds);
    sum = sum.defined() ? sum + drop : drop;
  }
  return sum / static_cast<double>(benign_texts_.size());
}

std::vector<SubmissionDetector::Verdict> Cider::verdicts(const std::vector<Submission>& submissions,
                                                         const Responder&) const {
  const at::NoGradGuard no_grad;
  std::map<uint64_t, std::vector<Tensor>> rounds;  // many submissions share one image
  std::map<std::string, Tensor> texts;
  std::vector<Verdict> all;
  for (const Submission& submission : submissions) {
    const auto [image, fresh] = rounds.try_emplace(content_key(submission.image));
    if (fresh) image->second = rounds_of(submission.image.to(model_->device()));
    Tensor reference = image->second[0];
    if (parameters_.against == "text") {
      const auto [text, first] = texts.try_emplace(submission.query.prompt);
      if (first) text->second = text_of(submission.query.prompt);
      reference = text->second;
    }
    if (reference.defined())
      all.push_back({.score = similarity_drop(reference, image->second).item<double>()});
    else
      all.push_back({.note = "no text to compare with"});
  }
  return all;
}

Tensor similarity_drop(const Tensor& reference, const std::vector<Tensor>& rounds) {
  TORCH_CHECK(rounds.size() >= 2, "a drop needs an image and a round of denoising");
  const auto similarity = [&](const Tensor& features) {
    return at::cosine_similarity(reference.to(features.device(), features.scalar_type()), features, 1, 1e-8)
        .mean();
  };
  const Tensor before = similarity(rounds[0]);
  Tensor worst;
  for (size_t round = 1; round < rounds.size(); ++round) {
    const Tensor drop = before - similarity(rounds[round]);
    worst = worst.defined() ? at::maximum(worst, drop) : drop;
  }
  return worst;
}

}  // namespace hijack
