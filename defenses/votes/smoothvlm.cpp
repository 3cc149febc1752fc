#include "defenses/votes/smoothvlm.h"

#include "src/base/image.h"

namespace hijack {

void SmoothVlm::Parameters::check() const {
  check_range("share", share, 0, 0.99);
  check_range("copies", static_cast<double>(copies), 1, 1000);
  check_choice("fill", fill, {"black", "noise", "swap"});
}

SmoothVlm::SmoothVlm(const Parameters& parameters)
    : CopyVote(parameters.copies, parameters.seed), parameters_(parameters) {
  parameters_.check();
}

Tensor SmoothVlm::changed(const Tensor& image, Random& random) const {
  const int64_t height = image.size(2), width = image.size(3), pixels = height * width;
  // As many in every copy; 1e-9: 0.33 * 100 may be 32.99... in binary.
  const auto count = static_cast<int64_t>(parameters_.share * static_cast<double>(pixels) + 1e-9);
  const Tensor chosen = random.uniform_tensor({pixels}, 0, 1).argsort().narrow(0, 0, count);
  if (parameters_.fill == "swap") {
    const Tensor from = at::arange(pixels).index_copy(0, chosen, chosen.roll(1));
    return image.flatten(2).index_select(2, from.to(image.device())).view_as(image);
  }
  const Tensor changes =
      at::zeros({pixels}, at::kBool).index_fill_(0, chosen, true).view({1, 1, height, width});
  const Tensor fill = parameters_.fill == "noise"
                          ? quantize(random.uniform_tensor({1, 3, height, width}, 0, 1))
                          : at::zeros({1, 1, 1, 1});
  return at::where(changes.to(image.device()), fill.to(image.options()), image);
}

Reply SmoothVlm::decided(const std::vector<Reply>& replies, StageTrace& stage) const {
  const Majority best = majority(replies);
  stage.note = std::to_string(best.votes) + " of " + std::to_string(replies.size()) + " copies agree";
  return replies[best.member];
}

}  // namespace hijack
