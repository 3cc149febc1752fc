#include "src/experiment/run/shown_images.h"

namespace hijack {

Location place_in_file(const MovingPatch& patch, const Tensor& origin, uint64_t seed) {
  return draw_location(patch, origin, seed, "place in the file", 0);
}

std::vector<Tensor> shown_images(const Constraint& constraint, const Tensor& image, const Tensor& origin,
                                 Location patch_at, uint64_t seed, const std::string& split, size_t count) {
  std::vector<Tensor> shown(count, image);
  const auto* moving = std::get_if<MovingPatch>(&constraint);
  if (!moving || at::equal(image, origin)) return shown;
  for (size_t i = 0; i < count; ++i) {
    const Location to = draw_location(*moving, origin, seed, "place for " + split, static_cast<int64_t>(i));
    shown[i] = move_patch(*moving, image, patch_at, to, origin);
  }
  return shown;
}

}  // namespace hijack
