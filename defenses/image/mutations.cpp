#include "defenses/image/mutations.h"

#include <numbers>

#include "defenses/image/blur.h"
#include "defenses/image/crop.h"
#include "defenses/kinds.h"
#include "src/base/image.h"
#include "src/base/tensor_math.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

Tensor gray(const Tensor& image) {
  return luma(image).expand_as(image);
}

Tensor blurred(const Tensor& image, double sigma) {
  const auto side = static_cast<double>(std::min(image.size(2), image.size(3)));
  return side < 4 ? image : gaussian_blur(image, std::min(sigma, (side - 1) / 3));  // its reach must fit
}

/// A black rectangle somewhere.
Tensor masked(const Tensor& image, Random& random) {
  const int64_t height = image.size(2), width = image.size(3);
  const auto part = [&](int64_t side) {
    const double share = random.uniform(0.1, 0.3);
    return std::max<int64_t>(std::llround(share * static_cast<double>(side)), 1);
  };
  const int64_t h = part(height), w = part(width);
  const int64_t top = random.between(0, height - h), left = random.between(0, width - w);
  Tensor keep = at::ones({1, 1, height, width}, image.options().requires_grad(false));
  keep.narrow(2, top, h).narrow(3, left, w).fill_(0);
  return image * keep;
}

/// kind of the policy and its probability
constexpr std::array<std::pair<Mutation, double>, 3> kPolicy = {
    {{Mutation::kRotation, 0.34}, {Mutation::kBlur, 0.45}, {Mutation::kPosterization, 0.21}}};

}  // namespace

Tensor rotated(const Tensor& image, double degrees) {
  const double angle = degrees * std::numbers::pi / 180;
  const double c = std::cos(angle), s = std::sin(angle);
  // affine_grid measures both sides as 2: the angle holds in pixels.
  const double ratio = static_cast<double>(image.size(2)) / static_cast<double>(image.size(3));
  const Tensor from = uploaded(at::tensor({c, -s * ratio, 0.0, s / ratio, c, 0.0}), image.options());
  const Tensor grid = at::affine_grid_generator(from.view({1, 2, 3}), image.sizes(), false);
  return at::grid_sampler(image, grid, /*bilinear*/ 0, /*zeros*/ 0, /*align_corners=*/false);
}

Tensor solarized(const Tensor& image, double threshold) {
  return at::where(image >= threshold, 1 - image, image);
}

Tensor posterized(const Tensor& image, int64_t bits) {
  const double step = static_cast<double>(int64_t{1} << (8 - bits));
  const Tensor value = ((image.detach() * 255).round() / step).floor() * step / 255;
  return straight_through(value, image);
}

Tensor color_jittered(const Tensor& image, double brightness, double turns) {
  const double angle = 2 * std::numbers::pi * turns;
  const double c = std::cos(angle), third = (1 - c) / 3, s = std::sin(angle) / std::sqrt(3.0);
  // Rodrigues' rotation about (1,1,1)
  const Tensor turn = uploaded(at::tensor({c + third, third - s, third + s, third + s, c + third, third - s,
                                           third - s, third + s, c + third}),
                               image.options())
                          .view({3, 3});
  const Tensor turned = at::einsum("ij,njhw->nihw", {turn, image});
  return (turned * brightness).clamp(0, 1);
}

Tensor mutated(Mutation kind, const Tensor& image, Random& random) {
  switch (kind) {
    case Mutation::kHorizontalFlip:
      return image.flip({3});
    case Mutation::kVerticalFlip:
      return image.flip({2});
    case Mutation::kRotation:
      return rotated(image, random.uniform(0, 180));
    case Mutation::kCrop:
      return Crop({.keep = random.uniform(0.7, 0.95)}).surrogate(image, random);
    case Mutation::kMask:
      return masked(image, random);
    case Mutation::kSolarization:
      return solarized(image, random.uniform(0, 200.0 / 255));
    case Mutation::kGray:
      return gray(image);
    case Mutation::kBlur:
      return blurred(image, random.uniform(0.1, 2));
    case Mutation::kColorJitter: {
      const double brightness = random.uniform(0, 2);
      return color_jittered(image, brightness, random.uniform(-0.5, 0.5));
    }
    case Mutation::kPosterization:
      return posterized(image, random.between(1, 2));
  }
  TORCH_CHECK(false, "there is no mutation ", static_cast<int>(kind));
}

const std::vector<std::string>& mutation_sets() {
  static const std::vector<std::string> sets = {"policy", "all"};
  return sets;
}

Mutation drawn_mutation(const std::string& set, Random& random) {
  if (set == "all") return static_cast<Mutation>(random.below(kMutations));
  TORCH_CHECK(set == "policy", "there is no set of mutations '", set, "'");
  double rest = random.uniform();
  for (const auto& [kind, probability] : kPolicy) {
    if (rest < probability) return kind;
    rest -= probability;
  }
  return kPolicy.back().first;  // rounding
}

}  // namespace hijack
