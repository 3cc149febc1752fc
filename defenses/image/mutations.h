#pragma once
#include "src/base/random.h"
#include "src/base/tensor.h"

namespace hijack {

/// One of the harmless changes of JailGuard (Zhang et al. 2023), drawn at random with its strength: flip
/// (horizontal, vertical), crop and enlarge, shrink and pad, gray, posterize, blur, noise, masked pixels.
/// [1,3,H,W] in [0,1] -> the same, not rounded; differentiable (posterizing straight-through).
Tensor mutated(const Tensor& image, Random& random);

/// How many kinds of changes there are; and one of them, kind in [0, mutation_kinds()).
int64_t mutation_kinds();
Tensor mutated_by(int64_t kind, const Tensor& image, Random& random);

}  // namespace hijack
