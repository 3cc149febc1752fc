#include "attacks/wrappers/augmentation.h"

#include <charconv>
#include <cmath>
#include <numbers>

#include "attacks/constraint.h"
#include "src/base/differentiable_jpeg.h"
#include "src/base/error.h"
#include "src/base/registry.h"
#include "src/base/tensor_math.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

Tensor resized(const Tensor& image, int64_t height, int64_t width) {
  return at::upsample_bilinear2d(image, {height, width}, /*align_corners=*/false);
}

int64_t shrunk(int64_t side, double share) {
  return std::clamp<int64_t>(std::llround(static_cast<double>(side) * share), 1, side);
}

/// A random window of at least `least` of each side, resized back (M-Attack, Li et al. 2025).
Augmentation crop(double least) {
  return [least](const Tensor& image, Random& random) {
    const int64_t height = shrunk(image.size(2), random.uniform(least, 1));
    const int64_t width = shrunk(image.size(3), random.uniform(least, 1));
    const int64_t top = random.between(0, image.size(2) - height);
    const int64_t left = random.between(0, image.size(3) - width);
    return resized(image.narrow(2, top, height).narrow(3, left, width), image.size(2), image.size(3));
  };
}

/// Left and right exchanged in half of the draws.
Augmentation flip(double chance) {
  return [chance](const Tensor& image, Random& random) {
    return random.chance(chance) ? image.flip({3}) : image;
  };
}

Augmentation noise(double deviation) {
  return [deviation](const Tensor& image, Random& random) {
    const Tensor noisy = image + deviation * uploaded(random.normal_tensor(image.sizes()), image.options());
    return straight_through(noisy.clamp(0, 1), noisy);  // cut off, with the gradient of the sum
  };
}

/// Input diversity (Xie et al. 2019): resized to a random share of at least `least` and padded with black to
/// a random place, in half of the draws.
Augmentation resize_pad(double least) {
  return [least](const Tensor& image, Random& random) {
    if (!random.chance(.5)) return image;
    const double share = random.uniform(least, 1);
    const int64_t height = shrunk(image.size(2), share), width = shrunk(image.size(3), share);
    const int64_t top = random.between(0, image.size(2) - height);
    const int64_t left = random.between(0, image.size(3) - width);
    return at::constant_pad_nd(resized(image, height, width),
                               {left, image.size(3) - width - left, top, image.size(2) - height - top}, 0);
  };
}

/// Made smaller, to a random share of at least `least` of each side, and large again, as thumbnails are: the
/// place stays, the finest detail goes.
Augmentation resize(double least) {
  return [least](const Tensor& image, Random& random) {
    const double share = random.uniform(least, 1);
    const int64_t height = shrunk(image.size(2), share), width = shrunk(image.size(3), share);
    const Tensor small = at::_upsample_bilinear2d_aa(image, {height, width}, /*align_corners=*/false);
    return resized(small, image.size(2), image.size(3));
  };
}

/// JPEG compression of a random quality of at least `least` (Agent Smith, Gu et al. 2024).
Augmentation jpeg(double least) {
  return [least](const Tensor& image, Random& random) {
    const int64_t quality = random.between(std::llround(least), 100);
    return differentiable_jpeg(image, quality).to(image.scalar_type());
  };
}

/// The cosine transform of type II over n values, orthonormal: [n,n].
Tensor cosine_basis(int64_t n, const at::TensorOptions& options) {
  const Tensor place = at::arange(n, options.dtype(at::kDouble)), frequency = place.unsqueeze(1);
  Tensor basis = at::cos((place + .5) * frequency * (std::numbers::pi / static_cast<double>(n))) *
                 std::sqrt(2.0 / static_cast<double>(n));
  basis.select(0, 0).mul_(std::sqrt(.5));
  return basis.to(options.dtype());
}

/// Spectrum simulation (SSA, Long et al. 2022): noise, then each frequency times a number from 1 - share to
/// 1 + share.
Augmentation spectrum(double share) {
  return [share](const Tensor& image, Random& random) {
    constexpr double kDeviation = 16.0 / 255;
    const Tensor noisy = image + kDeviation * uploaded(random.normal_tensor(image.sizes()), image.options());
    const Tensor mask = uploaded(random.uniform_tensor(image.sizes(), 1 - share, 1 + share), image.options());
    const Tensor rows = cosine_basis(image.size(2), image.options()),
                 columns = cosine_basis(image.size(3), image.options());
    const Tensor spectrum = rows.matmul(noisy).matmul(columns.t()) * mask;
    const Tensor back = rows.t().matmul(spectrum).matmul(columns);
    return straight_through(back.clamp(0, 1), back);  // cut off, with the gradient of the sum
  };
}

struct AugmentationKind {
  const char* name;
  Augmentation (*make)(double);
  double usual, low, high;
  bool in_255;  ///< the value is written like 8/255
};
const Registry<AugmentationKind> kAugmentations("augmentation", {{"crop", crop, .8, .1, 1, false},
                                                                 {"flip", flip, .5, 0, 1, false},
                                                                 {"noise", noise, 4.0 / 255, 0, 1, true},
                                                                 {"resize_pad", resize_pad, .9, .1, 1, false},
                                                                 {"resize", resize, .5, .1, 1, false},
                                                                 {"spectrum", spectrum, .5, 0, 1, false},
                                                                 {"jpeg", jpeg, 50, 1, 100, false}});

double value_of(const AugmentationKind& kind, const std::string& text, const std::string& whole) {
  if (kind.in_255) return parse_epsilon(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() ||
      !(value >= kind.low && value <= kind.high)) {
    std::ostringstream message;
    message << "augmentation '" << whole.substr(0, 40) << "': the value must be from " << kind.low << " to "
            << kind.high << ".";
    throw Error(message.str());
  }
  return value;
}

}  // namespace

Augmentation parse_augmentation(const std::string& text) {
  const size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const AugmentationKind& kind = kAugmentations.at(name);
  return kind.make(equals == std::string::npos ? kind.usual : value_of(kind, text.substr(equals + 1), text));
}

std::vector<std::string> augmentation_names() {
  return kAugmentations.names();
}

Augmented::Augmented(std::unique_ptr<Objective> inner, const AugmentationConfig& config, uint64_t seed,
                     std::vector<std::shared_ptr<TemplatedModel>> templated)
    : ObjectiveDecorator(std::move(inner)),
      templated_(std::move(templated)),
      draws_(config.draws),
      seed_(seed) {
  if (draws_ < 1 || draws_ > 1000) throw Error("draws must be from 1 to 1000.");
  for (const std::string& name : config.names) augmentations_.push_back(parse_augmentation(name));
}

Tensor Augmented::loss(const Tensor& image, int64_t step) {
  std::vector<Tensor> draws;
  Tensor sum;
  for (int64_t k = 0; k < draws_; ++k) {
    const auto number = static_cast<uint64_t>(step * draws_ + k);
    Random random = Random(seed_).fork("augmentation", number);
    for (const auto& model : templated_) model->draw(number);
    std::vector<Tensor> changed;
    for (int64_t n = 0; n < image.size(0); ++n) {
      Tensor one = image.narrow(0, n, 1);
      for (const Augmentation& augmentation : augmentations_) one = augmentation(one, random);
      changed.push_back(one);
    }
    draws.push_back(at::cat(changed));
    if (templated_.empty()) continue;
    // the chats belong to this draw
    const Tensor loss = summed_loss(*inner_, std::exchange(draws, {}), step);
    sum = sum.defined() ? sum + loss : loss;
  }
  if (templated_.empty()) sum = summed_loss(*inner_, draws, step);
  return sum / static_cast<double>(draws_);
}

}  // namespace hijack
