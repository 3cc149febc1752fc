#include "attacks/constraints/regions.h"

#include <ATen/ATen.h>

#include "attacks/constraints/lattice.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

constexpr int64_t kRowDim = 2;
constexpr int64_t kColumnDim = 3;

std::string pixels(int64_t width, int64_t height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

Tensor square_of(int64_t size, int64_t top, int64_t left, const Tensor& image) {
  Tensor free =
      at::zeros({1, 1, image.size(kRowDim), image.size(kColumnDim)}, image.options().dtype(at::kBool));
  free.narrow(kRowDim, top, size).narrow(kColumnDim, left, size).fill_(true);
  return free;
}

void check_square(const std::string& what, int64_t size, int64_t top, int64_t left, int64_t height,
                  int64_t width) {
  // Written so that hostile sizes cannot overflow.
  if (size > std::min(height, width) || top < 0 || left < 0 || top > height - size || left > width - size)
    throw Error("the " + what + " does not lie inside the attacked image of " + pixels(width, height) +
                " pixels: choose a smaller patch_size, or patch_top and patch_left that fit.");
}

}  // namespace

Tensor free_pixels(const Patch& patch, const Tensor& image) {
  return square_of(patch.size, patch.top, patch.left, image);
}
Tensor free_pixels(const MovingPatch& patch, const Tensor& image) {
  return square_of(patch.size, patch.top, patch.left, image);
}
Tensor free_pixels(const Border& border, const Tensor& image) {
  const int64_t height = image.size(kRowDim), width = image.size(kColumnDim);
  Tensor free = at::ones({1, 1, height, width}, image.options().dtype(at::kBool));
  free.narrow(kRowDim, border.width, height - 2 * border.width)
      .narrow(kColumnDim, border.width, width - 2 * border.width)
      .fill_(false);
  return free;
}
Tensor free_pixels(const Mask& mask, const Tensor& image) {
  return image.is_cpu() ? mask.free_pixels : uploaded(mask.free_pixels, image.options().dtype(at::kBool));
}
Tensor free_pixels(const Box&, const Tensor& image) {
  return at::ones({1, 1, 1, 1}, image.options().dtype(at::kBool));
}

std::string describe_region(const Patch& patch) {
  return "patch " + pixels(patch.size, patch.size) + " at row " + std::to_string(patch.top) + ", column " +
         std::to_string(patch.left);
}
std::string describe_region(const MovingPatch& patch) {
  return "moving patch " + pixels(patch.size, patch.size) + " anywhere";
}
std::string describe_region(const Border& border) {
  return "border of " + std::to_string(border.width) + " pixels";
}
std::string describe_region(const Mask& mask) {
  const auto name = std::filesystem::path(mask.name).filename().string();
  return "mask " + (name.empty() ? "" : name + " ") + "with " +
         std::to_string(mask.free_pixels.sum().item<int64_t>()) + " free pixels of " +
         std::to_string(mask.free_pixels.numel());
}
std::string describe_region(const Box&) {
  return "box (unconstrained)";
}

void check_region(const Patch& patch, int64_t height, int64_t width) {
  check_square(describe_region(patch), patch.size, patch.top, patch.left, height, width);
}
void check_region(const MovingPatch& patch, int64_t height, int64_t width) {
  const std::string where = " at row " + std::to_string(patch.top) + ", column " + std::to_string(patch.left);
  check_square("moving patch " + pixels(patch.size, patch.size) + where, patch.size, patch.top, patch.left,
               height, width);
}
void check_region(const Border& border, int64_t height, int64_t width) {
  if (border.width > (std::min(height, width) - 1) / 2)
    throw Error("the border of " + std::to_string(border.width) +
                " pixels leaves nothing inside it in the attacked image of " + pixels(width, height) +
                " pixels: choose a smaller border_width, or constraint box to free everything.");
}
void check_region(const Mask& mask, int64_t height, int64_t width) {
  const Tensor& free = mask.free_pixels;
  if (free.size(kRowDim) != height || free.size(kColumnDim) != width)
    throw Error(
        "the mask '" + mask.name + "' has " + pixels(free.size(kColumnDim), free.size(kRowDim)) +
        " pixels, but the attacked image " + pixels(width, height) +
        ": a mask marks pixels of the model's input, with --space photo of the photo; draw it at that "
        "size.");
}
void check_region(const Box&, int64_t, int64_t) {}

Mask read_mask(const std::string& file) {
  if (file.empty()) throw Error("constraint mask needs a picture of the free pixels: name a PNG with mask.");
  if (!std::filesystem::is_regular_file(file)) throw Error("there is no mask file '" + file + "'.");
  Mask mask{load_image(file).gt(0).any(1, /*keepdim=*/true), file};
  if (!mask.free_pixels.any().item<bool>())
    throw Error("the mask '" + file +
                "' is black everywhere, so that no pixel is free: paint the free ones white.");
  return mask;
}

}  // namespace hijack
