#pragma once
#include "attacks/constraint.h"

// Constraints that free chosen pixels and fix all others: each is the set of its free pixels.

namespace hijack {

/// Bool, broadcasts over [N,3,H,W]: where an image like this one may change.
Tensor free_pixels(const Patch& patch, const Tensor& image);
Tensor free_pixels(const MovingPatch& patch, const Tensor& image);
Tensor free_pixels(const Border& border, const Tensor& image);
Tensor free_pixels(const Mask& mask, const Tensor& image);
Tensor free_pixels(const Box& box, const Tensor& image);

std::string describe_region(const Patch& patch);
std::string describe_region(const MovingPatch& patch);
std::string describe_region(const Border& border);
std::string describe_region(const Mask& mask);
std::string describe_region(const Box& box);

/// Throws Error when the constraint is not made for images of this size.
void check_region(const Patch& patch, int64_t height, int64_t width);
void check_region(const MovingPatch& patch, int64_t height, int64_t width);
void check_region(const Border& border, int64_t height, int64_t width);
void check_region(const Mask& mask, int64_t height, int64_t width);
void check_region(const Box& box, int64_t height, int64_t width);

/// A PNG of the free pixels: every pixel that is not black. Throws Error when it cannot be read or frees
/// nothing.
Mask read_mask(const std::string& file);

}  // namespace hijack
