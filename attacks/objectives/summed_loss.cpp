#include "attacks/objective.h"

namespace hijack {

Tensor summed_loss(Objective& objective, const std::vector<Tensor>& batches, int64_t step) {
  const bool one_size = std::all_of(batches.begin(), batches.end(), [&](const Tensor& batch) {
    return batch.defined() && batch.sizes() == batches[0].sizes();
  });
  std::vector<Tensor> losses;
  if (batches.size() > 1 && one_size && objective.images_apart())
    losses = objective.loss(at::cat(batches), step).split(batches[0].size(0));
  else
    for (const Tensor& batch : batches) losses.push_back(objective.loss(batch, step));
  Tensor sum = losses.at(0);
  for (size_t i = 1; i < losses.size(); ++i) sum = sum + losses[i];
  return sum;
}

}  // namespace hijack
