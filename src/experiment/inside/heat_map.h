#pragma once
#include <optional>
#include <utility>

#include "src/base/tensor.h"

namespace hijack {

/// Rows and columns of `tokens` image tokens that lie over a photo of this size like a grid of squares, row
/// by row. Nothing where no grid has about its proportions (families that see several views, or squash).
std::optional<std::pair<int64_t, int64_t>> token_grid(int64_t tokens, int64_t height, int64_t width);

/// A photo [1,3,H,W] in gray, and on it the values [rows,columns] in [0,most] from nothing over red to
/// yellow.
Tensor heat_on_photo(const Tensor& photo, const Tensor& values, double most);

/// Photos of one height side by side, with a white strip between them.
Tensor side_by_side(const Tensor& left, const Tensor& right);

/// A small picture several times as large, in whole steps.
Tensor enlarged(const Tensor& picture);

}  // namespace hijack
