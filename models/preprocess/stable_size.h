#pragma once
#include "src/base/tensor.h"

namespace hijack {

/// image [1,3,H,W] resized by a processor whose sizes follow the photo's, to a size that it leaves as it is:
/// where a photo meets the limits, it would resize its own result again. Without gradients.
template <class Processor>
Tensor resized_to_stay(const Processor& processor, const Tensor& image) {
  const at::NoGradGuard no_gradients;
  constexpr int kMost = 8;
  Tensor result = processor.resized(image);
  for (int i = 0; i < kMost; ++i) {
    const auto size = processor.resized_size(result.size(2), result.size(3));
    if (size.height == result.size(2) && size.width == result.size(3)) break;
    result = processor.resized(result);
  }
  return result;
}

}  // namespace hijack
