#include "src/experiment/parallel/ranked_steps.h"

#include <ATen/ATen.h>

#include "src/base/error.h"
#include "src/base/text.h"

namespace hijack {
namespace {

constexpr int64_t kStepsBetweenLooks = 10;

/// Of step and image, as a number that float64 holds.
double number_of(const AttackState& state) {
  const Tensor image = state.image.detach().cpu().contiguous();
  const auto* bytes = static_cast<const char*>(image.const_data_ptr());
  return static_cast<double>(fnv1a({bytes, image.nbytes()}, fnv1a(std::to_string(state.step))) >> 12);
}

/// Independent of what optimizers do to their tensors.
AttackState copied(AttackState state) {
  const auto copy = [](Tensor& tensor) {
    if (tensor.defined()) tensor = tensor.clone();
  };
  copy(state.image);
  copy(state.best_image);
  for (auto* map : {&state.optimizer, &state.objective})
    for (auto& [name, tensor] : *map) copy(tensor);
  return state;
}

}  // namespace

RankedSteps::RankedSteps(std::shared_ptr<Ranks> ranks, std::stop_token own)
    : ranks_(std::move(ranks)), own_(std::move(own)) {}

std::stop_token RankedSteps::stop() const {
  return ranks_ ? all_.get_token() : own_;
}

void RankedSteps::agree(const AttackState& state) {
  if (!ranks_) return;
  if (ranks_->first()) last_ = copied(state);
  const bool look = !std::exchange(started_, true) || state.step % kStepsBetweenLooks == 0;
  Tensor said = at::zeros({1 + ranks_->size()}, at::kDouble);  // asked to stop; what each rank has
  said[0] = own_.stop_requested() ? 1.0 : 0.0;
  if (look) said[1 + ranks_->rank()] = number_of(state);
  said = ranks_->sum(said);
  for (int64_t rank = 1; rank < ranks_->size(); ++rank)
    if (said[1 + rank].item<double>() != said[1].item<double>())
      throw Failure(
          "Rank " + std::to_string(rank) + " has another image than rank 0 after step " +
          std::to_string(state.step) +
          ": the processes compute differently; start them on equal machines, with the same program and "
          "files, and go on with --resume.");
  if (said[0].item<double>() > 0) all_.request_stop();
}

bool on_all_ranks(Ranks* ranks, bool mine) {
  if (!ranks) return mine;
  return ranks->sum(at::full({1}, mine ? 0.0 : 1.0, at::kDouble)).item<double>() == 0;
}

}  // namespace hijack
