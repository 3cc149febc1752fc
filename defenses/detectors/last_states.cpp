#include "defenses/detectors/last_states.h"

#include <ATen/ATen.h>

#include "defenses/kinds.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr size_t kTried = 4;
constexpr double kSafeShare = 0.8;  // of the threshold

}  // namespace

LastStates::LastStates(const DefenseResources& resources, std::vector<int64_t> layers,
                       const std::string& defense)
    : model_(resources.model) {
  if (!model_) throw Error("Defense '" + defense + "' needs a model to look into.");
  for (const int64_t layer : layers) {
    at_.push_back({HookPoint::kResidual, layer});
    check_hook(at_.back(), hooks().layers());
  }
  for (const Submission& one : resources.benign)
    if (tried_.size() < kTried) tried_.push_back(one.query);
  if (tried_.empty()) tried_.push_back({.prompt = "What is in the image?"});
}

Tensor LastStates::read(const Pixels& pixels, std::span<const Query> queries) const {
  std::vector<Tensor> rows;
  for (const TokenStates& found : hooks().states_at(pixels, queries, {}, at_, TokenChoice::kLast))
    rows.push_back(at::cat(found.states).to(at::kFloat));  // [K,D]
  return at::stack(rows);
}

Tensor LastStates::of(const std::vector<Submission>& submissions) const {
  const at::NoGradGuard no_gradients;
  std::vector<Tensor> parts;
  for (size_t begin = 0, end = 0; begin < submissions.size(); begin = end) {
    const Tensor image = submissions[begin].image;
    std::vector<Query> queries;
    for (; end < submissions.size() && queries.size() < kRepliesAtOnce &&
           same_image(submissions[end].image, image);
         ++end)
      queries.push_back(submissions[end].query);
    parts.push_back(
        read(model_->preprocess(image.defined() ? image.to(model_->device()) : image), queries).cpu());
  }
  return at::cat(parts);
}

Tensor LastStates::of_image(const Tensor& image) const {
  return read(model_->preprocess(image.to(model_->device())), tried_);
}

Tensor score_for_attacks(const Tensor& value, double limit, double margin, double threshold) {
  const double unit = std::max(std::abs(threshold), 1e-6);
  return kSafeShare * threshold + unit * (value - (limit - margin)) / (5 * margin);
}

}  // namespace hijack
