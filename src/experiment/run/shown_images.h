#pragma once
#include <string>
#include <vector>

#include "attacks/wrappers/moving_patch.h"

namespace hijack {

/// Where the saved file of a trial with a moving patch has it. origin [1,3,H,W].
Location place_in_file(const MovingPatch& patch, const Tensor& origin, uint64_t seed);

/// What each of `count` contexts of a split is shown. The image [1,3,H,W] itself, the same tensor for all;
/// but a moving patch, which `image` has at patch_at, is shown to every context at another place, drawn for
/// evaluation only. An image that equals the origin has no patch to move.
std::vector<Tensor> shown_images(const Constraint& constraint, const Tensor& image, const Tensor& origin,
                                 Location patch_at, uint64_t seed, const std::string& split, size_t count);

}  // namespace hijack
