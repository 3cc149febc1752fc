#include "src/base/differentiable_jpeg.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include "src/base/tensor_math.h"

// Shapes: H W image size; a plane is [1,1,h,w] in 0..255; blocks are [h/8, w/8, 8, 8].

namespace hijack {
namespace {

// Annex K of ITU-T T.81, the tables libjpeg starts from.
constexpr std::array<double, 64> kLuma = {
    16, 11,  10,  16, 24, 40, 51, 61, 12,  12,  14,  19,  26, 58, 60, 55,  14,  13,  16,  24, 40, 57,
    69, 56,  14,  17, 22, 29, 51, 87, 80,  62,  18,  22,  37, 56, 68, 109, 103, 77,  24,  35, 55, 64,
    81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98,  112, 100, 103, 99};
constexpr std::array<double, 64> kChroma = {17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
                                            24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
                                            99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                            99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

/// [8,8], jpeg_quality_scaling and jpeg_add_quant_table of libjpeg.
Tensor quantization_table(const std::array<double, 64>& base, int64_t quality) {
  const auto scale = static_cast<double>(quality < 50 ? 5000 / quality : 200 - 2 * quality);
  Tensor table = at::empty({8, 8}, at::kFloat);
  for (size_t i = 0; i < 64; ++i)
    table.data_ptr<float>()[i] =
        static_cast<float>(std::clamp(std::floor((base[i] * scale + 50) / 100), 1.0, 255.0));
  return table;
}

/// [8,8], orthonormal: row u is the u-th cosine.
Tensor dct_matrix() {
  Tensor matrix = at::empty({8, 8}, at::kFloat);
  for (int64_t u = 0; u < 8; ++u)
    for (int64_t x = 0; x < 8; ++x)
      matrix.data_ptr<float>()[u * 8 + x] = static_cast<float>(
          (u == 0 ? std::sqrt(0.125) : 0.5) *
          std::cos((2.0 * static_cast<double>(x) + 1) * static_cast<double>(u) * M_PI / 16));
  return matrix;
}

Tensor rounded_through(const Tensor& x) {
  return straight_through(x.detach().round(), x);
}

/// To whole numbers in 0..255, as the codec stores planes between its stages.
Tensor bytes_through(const Tensor& x) {
  return straight_through(x.detach().round().clamp(0, 255), x);
}

/// One plane [1,1,h,w] (multiples of 8) through quantization.
Tensor coded_plane(const Tensor& plane, const std::array<double, 64>& base, int64_t quality, bool rounded) {
  const int64_t rows = plane.size(2) / 8, columns = plane.size(3) / 8;
  const Tensor cosines = dct_matrix().to(plane.device());
  const Tensor table = quantization_table(base, quality).to(plane.device());
  const Tensor blocks = (plane - 128).reshape({rows, 8, columns, 8}).permute({0, 2, 1, 3});
  Tensor coefficients = at::matmul(at::matmul(cosines, blocks), cosines.t()) / table;
  if (rounded) coefficients = rounded_through(coefficients);
  const Tensor restored = at::matmul(at::matmul(cosines.t(), coefficients * table), cosines);
  const Tensor result = restored.permute({0, 2, 1, 3}).reshape({1, 1, rows * 8, columns * 8}) + 128;
  return rounded ? bytes_through(result) : result;
}

Tensor mix(const Tensor& planes, const std::array<float, 9>& weights, const std::array<float, 3>& offset) {
  const auto options = planes.options();
  Tensor matrix = at::empty({3, 3, 1, 1}, at::kFloat), bias = at::empty({3}, at::kFloat);
  std::copy(weights.begin(), weights.end(), matrix.data_ptr<float>());
  std::copy(offset.begin(), offset.end(), bias.data_ptr<float>());
  return at::conv2d(planes, matrix.to(options), bias.to(options));
}

/// RGB 0..255 <-> YCbCr 0..255 (JFIF).
Tensor to_ycbcr(const Tensor& rgb) {
  return mix(rgb, {0.299f, 0.587f, 0.114f, -0.168736f, -0.331264f, 0.5f, 0.5f, -0.418688f, -0.081312f},
             {0, 128, 128});
}
Tensor to_rgb(const Tensor& ycbcr) {
  return mix(ycbcr, {1, 0, 1.402f, 1, -0.344136f, -0.714136f, 1, 1.772f, 0},
             {-179.456f, 135.458816f, -226.816f});
}

}  // namespace

Tensor differentiable_jpeg(const Tensor& image, int64_t quality, bool rounded) {
  TORCH_CHECK(quality >= 1 && quality <= 100, "JPEG quality ", quality, " is outside 1..100");
  const int64_t height = image.size(2), width = image.size(3);
  const int64_t below = (16 - height % 16) % 16, right = (16 - width % 16) % 16;
  const Tensor padded = at::replication_pad2d(image.to(at::kFloat) * 255, {0, right, 0, below});
  Tensor ycbcr = to_ycbcr(padded);  // [1,3,H',W'], multiples of 16
  if (rounded) ycbcr = bytes_through(ycbcr);
  const Tensor luma = coded_plane(ycbcr.narrow(1, 0, 1), kLuma, quality, rounded);
  Tensor half = at::avg_pool2d(ycbcr.narrow(1, 1, 2), {2, 2});  // [1,2,H'/2,W'/2]
  if (rounded) half = bytes_through(half);
  const Tensor chroma = at::cat({coded_plane(half.narrow(1, 0, 1), kChroma, quality, rounded),
                                 coded_plane(half.narrow(1, 1, 1), kChroma, quality, rounded)},
                                1);
  // libjpeg's "fancy" upsampling has the weights 3/4 and 1/4, which are those of bilinear interpolation.
  const Tensor full = at::upsample_bilinear2d(chroma, {padded.size(2), padded.size(3)}, false);
  const Tensor rgb = to_rgb(at::cat({luma, full}, 1));
  return (rgb / 255).clamp(0, 1).narrow(2, 0, height).narrow(3, 0, width);
}

}  // namespace hijack
