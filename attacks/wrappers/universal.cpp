#include "attacks/wrappers/universal.h"

#include <ATen/ATen.h>

#include "attacks/constraints/regions.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr double kGray = 128.0 / 255;

bool is_ball(const Constraint& constraint) {
  return std::holds_alternative<LinfBall>(constraint) || std::holds_alternative<L2Ball>(constraint);
}

struct FreePixels {
  const Tensor& image;
  Tensor operator()(const LinfBall&) const { return {}; }
  Tensor operator()(const L2Ball&) const { return {}; }
  template <class Region>
  Tensor operator()(const Region& region) const {
    return free_pixels(region, image);
  }
};

}  // namespace

Tensor carrier_for(const Constraint& constraint, const Tensor& photo) {
  return is_ball(constraint) ? at::full_like(photo, kGray) : photo;
}

Tensor with_change(const Constraint& constraint, const Tensor& image, const Tensor& carrier,
                   const Tensor& photo) {
  if (!is_ball(constraint)) return at::where(std::visit(FreePixels{photo}, constraint), image, photo);
  const Tensor sum = photo + (image - carrier);
  return sum + (sum.detach().clamp(0, 1) - sum.detach());
}

UniversalObjective::UniversalObjective(std::unique_ptr<Objective> inner, Constraint constraint,
                                       Tensor carrier, std::vector<Tensor> photos, int64_t batch,
                                       uint64_t seed)
    : ObjectiveDecorator(std::move(inner)),
      constraint_(std::move(constraint)),
      carrier_(std::move(carrier)),
      photos_(std::move(photos)),
      batches_(photos_.size(), batch, Random(seed).fork("photos of a step").bits()) {
  if (std::holds_alternative<MovingPatch>(constraint_))
    throw Error("a universal image takes no moving_patch: use constraint patch, or one photo.");
}

Tensor UniversalObjective::loss(const Tensor& image, int64_t step) {
  std::vector<Tensor> shown;
  Tensor sum;
  const auto chosen = batches_.at(step);
  for (const size_t i : chosen) {
    std::vector<Tensor> images;
    for (int64_t n = 0; n < image.size(0); ++n)
      images.push_back(with_change(constraint_, image.narrow(0, n, 1), carrier_, photos_[i]));
    shown.push_back(at::cat(images));
    if (inner_->images_apart()) continue;
    inner_->of_photo(i);
    const Tensor one = inner_->loss(shown.back(), step);
    sum = sum.defined() ? sum + one : one;
  }
  if (inner_->images_apart()) sum = summed_loss(*inner_, shown, step);
  return sum / static_cast<double>(chosen.size());
}

}  // namespace hijack
