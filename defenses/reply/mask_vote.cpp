#include "defenses/reply/mask_vote.h"

#include "src/base/image.h"

namespace hijack {

void MaskVote::Parameters::check() const {
  check_range("share", share, 0, 0.99);
  check_range("copies", static_cast<double>(copies), 1, 1000);
  check_choice("fill", fill, {"black", "noise"});
}

MaskVote::MaskVote(const Parameters& parameters)
    : CopyVote(parameters.copies, parameters.seed), parameters_(parameters) {
  parameters_.check();
}

Tensor MaskVote::changed(const Tensor& image, Random& random) const {
  const int64_t height = image.size(2), width = image.size(3);
  const Tensor keep = random.uniform_tensor({1, 1, height, width}, 0, 1) >= parameters_.share;
  const Tensor fill = parameters_.fill == "noise"
                          ? quantize(random.uniform_tensor({1, 3, height, width}, 0, 1))
                          : at::zeros({1, 1, 1, 1});
  return at::where(keep.to(image.device()), image, fill.to(image.options()));
}

Reply MaskVote::decided(const std::vector<Reply>& replies, StageTrace& stage) const {
  const Majority best = majority(replies);
  stage.note = std::to_string(best.votes) + " of " + std::to_string(replies.size()) + " copies agree";
  return replies[best.member];
}

}  // namespace hijack
