#include "models/preprocess/resampler.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "models/preprocess/filter_weights.h"
#include "models/preprocess/tensor_passes.h"
#include "src/base/image.h"

namespace hijack {
namespace {

// Planes are [P,H,W]; "clipped" marks where a rounded sum left 0..255 and was cut back. Loops serve the CPU,
// tensor_passes.h every other device.
struct Pass {
  Tensor bytes;    // uint8
  Tensor clipped;  // uint8 or bool; undefined when the pass was skipped
};

Pass on_its_device(const Tensor& planes, int64_t dim, int64_t target, Filter filter) {
  auto [bytes, clipped] = resized_along(planes, dim, target, filter);
  return {std::move(bytes), std::move(clipped)};
}

uint8_t rounded(int32_t sum, uint8_t& clipped) {
  const int32_t value = sum >> kWeightBits;
  clipped = value < 0 || value > 255;
  return static_cast<uint8_t>(std::clamp(value, 0, 255));
}

constexpr int32_t kHalf = 1 << (kWeightBits - 1);

Pass resize_rows(const Tensor& planes, int64_t width, Filter filter) {
  const int64_t rows = planes.size(0) * planes.size(1), source_width = planes.size(2);
  if (width == source_width) return {planes, {}};
  if (!planes.is_cpu()) return on_its_device(planes, 2, width, filter);
  const auto weights = filter_weights(source_width, width, filter);
  const auto shape = {planes.size(0), planes.size(1), width};
  Pass result{at::empty(shape, at::kByte), at::empty(shape, at::kByte)};
  const uint8_t* source = planes.const_data_ptr<uint8_t>();
  uint8_t* target = result.bytes.mutable_data_ptr<uint8_t>();
  uint8_t* clipped = result.clipped.mutable_data_ptr<uint8_t>();
  for (int64_t row = 0; row < rows; ++row, source += source_width)
    for (int64_t x = 0; x < width; ++x) {
      const FilterWeights::Taps taps = weights->taps(x);
      int32_t sum = kHalf;
      for (int64_t i = 0; i < taps.count; ++i) sum += source[taps.first + i] * taps.integers[i];
      *target++ = rounded(sum, *clipped++);
    }
  return result;
}

Pass resize_columns(const Tensor& planes, int64_t height, Filter filter) {
  const int64_t source_height = planes.size(1), width = planes.size(2);
  if (height == source_height) return {planes, {}};
  if (!planes.is_cpu()) return on_its_device(planes, 1, height, filter);
  const auto weights = filter_weights(source_height, height, filter);
  const auto shape = {planes.size(0), height, width};
  Pass result{at::empty(shape, at::kByte), at::empty(shape, at::kByte)};
  uint8_t* target = result.bytes.mutable_data_ptr<uint8_t>();
  uint8_t* clipped = result.clipped.mutable_data_ptr<uint8_t>();
  std::vector<int32_t> sums(static_cast<size_t>(width));
  for (int64_t plane = 0; plane < planes.size(0); ++plane) {
    const uint8_t* const source = planes.const_data_ptr<uint8_t>() + plane * source_height * width;
    for (int64_t y = 0; y < height; ++y) {
      const FilterWeights::Taps taps = weights->taps(y);
      std::fill(sums.begin(), sums.end(), kHalf);
      for (int64_t i = 0; i < taps.count; ++i) {
        const uint8_t* const row = source + (taps.first + i) * width;
        const int32_t weight = taps.integers[i];
        for (int64_t x = 0; x < width; ++x) sums[static_cast<size_t>(x)] += row[x] * weight;
      }
      for (int64_t x = 0; x < width; ++x) *target++ = rounded(sums[static_cast<size_t>(x)], *clipped++);
    }
  }
  return result;
}

/// The transposed passes, in float: gradient [P,h,w] -> [P,source_height,w] and [P,H,w] ->
/// [P,H,source_width].
Tensor columns_transposed(const Tensor& gradient, int64_t source_height, Filter filter) {
  const int64_t height = gradient.size(1), width = gradient.size(2);
  if (!gradient.is_cpu()) return transposed_along(gradient, 1, source_height, filter);
  const auto weights = filter_weights(source_height, height, filter);
  Tensor result = at::zeros({gradient.size(0), source_height, width}, at::kFloat);
  const float* source = gradient.const_data_ptr<float>();
  for (int64_t plane = 0; plane < gradient.size(0); ++plane) {
    float* const target = result.mutable_data_ptr<float>() + plane * source_height * width;
    for (int64_t y = 0; y < height; ++y, source += width) {
      const FilterWeights::Taps taps = weights->taps(y);
      for (int64_t i = 0; i < taps.count; ++i) {
        float* const row = target + (taps.first + i) * width;
        const auto weight = static_cast<float>(taps.reals[i]);
        for (int64_t x = 0; x < width; ++x) row[x] += weight * source[x];
      }
    }
  }
  return result;
}

Tensor rows_transposed(const Tensor& gradient, int64_t source_width, Filter filter) {
  const int64_t rows = gradient.size(0) * gradient.size(1), width = gradient.size(2);
  if (!gradient.is_cpu()) return transposed_along(gradient, 2, source_width, filter);
  const auto weights = filter_weights(source_width, width, filter);
  Tensor result = at::zeros({gradient.size(0), gradient.size(1), source_width}, at::kFloat);
  const float* source = gradient.const_data_ptr<float>();
  float* target = result.mutable_data_ptr<float>();
  for (int64_t row = 0; row < rows; ++row, target += source_width)
    for (int64_t x = 0; x < width; ++x) {
      const FilterWeights::Taps taps = weights->taps(x);
      const float value = *source++;
      for (int64_t i = 0; i < taps.count; ++i)
        target[taps.first + i] += static_cast<float>(taps.reals[i]) * value;
    }
  return result;
}

/// Pillow 13 resizes columns first where height shrinks by more than twice as many pixels as width (found by
/// comparing with it); before 13 it always began with rows. The rounding between the passes makes it visible.
bool columns_first(const Tensor& planes, int64_t height, int64_t width) {
  const int64_t fewer_rows = planes.size(1) - height, fewer_columns = planes.size(2) - width;
  return fewer_rows > 0 && fewer_rows > 2 * std::max(fewer_columns, int64_t{0});
}

struct Passes {
  Tensor bytes;
  Tensor rows_clipped, columns_clipped;  // see Pass
};

Passes both_passes(const Tensor& planes, int64_t height, int64_t width, Filter filter) {
  if (columns_first(planes, height, width)) {
    const Pass columns = resize_columns(planes, height, filter);
    const Pass rows = resize_rows(columns.bytes, width, filter);
    return {rows.bytes, rows.clipped, columns.clipped};
  }
  const Pass rows = resize_rows(planes, width, filter);
  const Pass columns = resize_columns(rows.bytes, height, filter);
  return {columns.bytes, rows.clipped, columns.clipped};
}

Tensor planes_of(const Tensor& bytes) {
  return bytes.contiguous().flatten(0, 1);
}

/// See resize_image.
class Resize : public torch::autograd::Function<Resize> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& image, int64_t height,
                        int64_t width, int64_t filter) {
    const Tensor planes = planes_of(to_bytes(image));
    const Passes passes = both_passes(planes, height, width, static_cast<Filter>(filter));
    context->save_for_backward({passes.rows_clipped, passes.columns_clipped});
    context->saved_data["source"] = image.sizes().vec();
    context->saved_data["filter"] = filter;
    context->saved_data["columns_first"] = columns_first(planes, height, width);
    return from_bytes(passes.bytes.reshape({image.size(0), image.size(1), height, width}));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const std::vector<Tensor> clipped = context->get_saved_variables();
    const std::vector<int64_t> source = context->saved_data["source"].toIntVector();
    const auto filter = static_cast<Filter>(context->saved_data["filter"].toInt());
    Tensor gradient = gradients[0].detach().to(at::kFloat).contiguous().flatten(0, 1);
    const auto through_rows = [&] {
      if (clipped[0].defined())
        gradient = rows_transposed(gradient.masked_fill(clipped[0].to(at::kBool), 0), source[3], filter);
    };
    const bool columns_came_first = context->saved_data["columns_first"].toBool();
    if (columns_came_first) through_rows();
    if (clipped[1].defined())
      gradient = columns_transposed(gradient.masked_fill(clipped[1].to(at::kBool), 0), source[2], filter);
    if (!columns_came_first) through_rows();
    return {gradient.reshape(source), {}, {}, {}};
  }
};

void check(const Tensor& image, int64_t height, int64_t width) {
  TORCH_CHECK(image.dim() == 4 && image.numel() > 0, "resize needs [N,C,H,W], not ", image.sizes());
  TORCH_CHECK(height > 0 && width > 0, "resize to ", height, "x", width);
}

}  // namespace

Tensor resize_bytes(const Tensor& bytes, int64_t height, int64_t width, Filter filter) {
  check(bytes, height, width);
  TORCH_CHECK(bytes.scalar_type() == at::kByte, "resize_bytes needs uint8");
  const Tensor resized = both_passes(planes_of(bytes), height, width, filter).bytes;
  return resized.reshape({bytes.size(0), bytes.size(1), height, width});
}

Tensor resize_image(const Tensor& image, int64_t height, int64_t width, Filter filter) {
  check(image, height, width);
  if (image.size(2) == height && image.size(3) == width) return image;
  return Resize::apply(image, height, width, static_cast<int64_t>(filter));
}

}  // namespace hijack
