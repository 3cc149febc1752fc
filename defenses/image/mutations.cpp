#include "defenses/image/mutations.h"

#include "defenses/image/bit_depth.h"
#include "defenses/image/blur.h"
#include "defenses/image/crop.h"
#include "defenses/image/noise.h"
#include "defenses/image/resize_pad.h"
#include "defenses/reply/mask_vote.h"

namespace hijack {
namespace {

using Mutation = Tensor (*)(const Tensor&, Random&);

Tensor gray(const Tensor& image) {
  const Tensor weights = at::tensor({0.299, 0.587, 0.114}, image.options());  // BT.601
  return (image * weights.view({1, 3, 1, 1})).sum(1, true).expand_as(image);
}

Tensor blurred(const Tensor& image, Random& random) {
  const double sigma = random.uniform(0.5, 2);
  const auto side = static_cast<double>(std::min(image.size(2), image.size(3)));
  return side < 4 ? image : gaussian_blur(image, std::min(sigma, (side - 1) / 3));  // its reach must fit
}

const std::vector<Mutation>& mutations() {
  static const std::vector<Mutation> all = {
      [](const Tensor& x, Random&) { return x.flip({3}); },
      [](const Tensor& x, Random&) { return x.flip({2}); },
      [](const Tensor& x, Random& r) { return Crop({.keep = r.uniform(0.7, 0.95)}).surrogate(x, r); },
      [](const Tensor& x, Random& r) { return ResizePad({.smallest = 0.7}).surrogate(x, r); },
      [](const Tensor& x, Random&) { return gray(x); },
      [](const Tensor& x, Random& r) { return BitDepth({.bits = r.between(2, 5)}).surrogate(x, r); },
      &blurred,
      [](const Tensor& x, Random& r) { return Noise({.sigma = r.uniform(8, 24)}).surrogate(x, r); },
      [](const Tensor& x, Random& r) { return MaskVote({.share = r.uniform(0.05, 0.3)}).changed(x, r); },
  };
  return all;
}

}  // namespace

Tensor mutated(const Tensor& image, Random& random) {
  return mutated_by(random.below(mutation_kinds()), image, random);
}

int64_t mutation_kinds() {
  return static_cast<int64_t>(mutations().size());
}

Tensor mutated_by(int64_t kind, const Tensor& image, Random& random) {
  TORCH_CHECK(kind >= 0 && kind < mutation_kinds(), "there is no mutation ", kind);
  return mutations()[static_cast<size_t>(kind)](image, random);
}

}  // namespace hijack
