#include "attacks/wrappers/moving_patch.h"

#include <ATen/ATen.h>

namespace hijack {

Location draw_location(const MovingPatch& patch, const Tensor& image, uint64_t seed, std::string_view purpose,
                       int64_t index) {
  Random random = Random(seed).fork(purpose, static_cast<uint64_t>(index));
  const int64_t top = random.between(0, image.size(2) - patch.size);
  return {top, random.between(0, image.size(3) - patch.size)};
}

Tensor move_patch(const MovingPatch& patch, const Tensor& image, Location from, Location to,
                  const Tensor& origin) {
  const int64_t height = origin.size(2), width = origin.size(3), size = patch.size;
  const Tensor content = image.narrow(2, from.top, size).narrow(3, from.left, size);  // [N,3,size,size]
  const std::vector<int64_t> around{to.left, width - to.left - size, to.top, height - to.top - size};
  const Tensor covered =
      at::constant_pad_nd(at::ones({1, 1, size, size}, origin.options().dtype(at::kBool)), around, 0);
  return at::where(covered, at::constant_pad_nd(content, around, 0), origin);  // [N,3,H,W]
}

MovingPatchObjective::MovingPatchObjective(std::unique_ptr<Objective> inner, const MovingPatch& patch,
                                           Tensor origin, uint64_t seed)
    : ObjectiveDecorator(std::move(inner)), patch_(patch), origin_(std::move(origin)), seed_(seed) {}

Tensor MovingPatchObjective::loss(const Tensor& image, int64_t step) {
  const Location to = draw_location(patch_, image, seed_, "place of a step", step);
  return inner_->loss(move_patch(patch_, image, {patch_.top, patch_.left}, to, origin_), step);
}

}  // namespace hijack
