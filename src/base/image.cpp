#include "src/base/image.h"

#include <ATen/ATen.h>

#include "src/base/decode_image.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image_codec.h"
#include "src/base/image_header.h"

namespace hijack {
namespace {

void check_limits(const ImageHeader& header, const ImageLimits& limits, const std::string& where) {
  if (header.width <= limits.max_side && header.height <= limits.max_side &&
      header.width * header.height <= limits.max_pixels)
    return;
  throw Error(where + " has " + std::to_string(header.width) + "x" + std::to_string(header.height) +
              " pixels, more than the limit of " + std::to_string(limits.max_side) + " a side and " +
              std::to_string(limits.max_pixels) + " in all; scale it down");
}

/// bytes [H,W,3] as stored -> as it is meant to be seen.
Tensor upright(const Tensor& bytes, int orientation) {
  switch (orientation) {
    case 2:
      return bytes.flip({1});
    case 3:
      return bytes.flip({0, 1});
    case 4:
      return bytes.flip({0});
    case 5:
      return bytes.transpose(0, 1);
    case 6:
      return bytes.transpose(0, 1).flip({1});
    case 7:
      return bytes.transpose(0, 1).flip({0, 1});
    case 8:
      return bytes.transpose(0, 1).flip({0});
    default:
      return bytes;
  }
}

/// Pixels [H,W,3] of this color become white.
Tensor on_white(const Tensor& pixels, const std::array<uint8_t, 3>& color) {
  const Tensor key = at::tensor(at::ArrayRef<uint8_t>(color.data(), color.size()));
  return pixels.masked_fill((pixels == key).all(-1, /*keepdim=*/true), 255);
}

}  // namespace

Tensor decode_image(std::string_view bytes, const std::string& where, const ImageLimits& limits) {
  if (bytes.size() > static_cast<size_t>(std::min<int64_t>(limits.max_bytes, INT32_MAX)))
    throw Error(where + " has more than " + std::to_string(limits.max_bytes) + " bytes");
  const ImageHeader header = read_image_header(bytes, where);
  check_limits(header, limits, where);
  const Tensor decoded =
      header.format == ImageFormat::kPng ? decode_with_stb(bytes) : decode_photo(bytes, header.format, where);
  if (!decoded.defined() || decoded.size(0) != header.height || decoded.size(1) != header.width)
    throw Error(where + " is damaged: the image cannot be decoded");
  const Tensor shown = header.clear_color ? on_white(decoded, *header.clear_color) : decoded;
  return from_bytes(upright(shown, header.orientation).permute({2, 0, 1}).unsqueeze(0).contiguous());
}

Tensor load_image(const std::filesystem::path& file, const ImageLimits& limits) {
  return decode_image(read_file(file, std::min<int64_t>(limits.max_bytes, INT32_MAX)), file.string(), limits);
}

void save_png(const Tensor& image, const std::filesystem::path& file) {
  TORCH_CHECK(on_lattice(image), "save_png: the image is not on the 8-bit lattice; quantize it first");
  write_file(file, encode_png(image));
}

std::string encode_png(const Tensor& image) {
  TORCH_CHECK(image.dim() == 4 && image.size(0) == 1 && image.size(1) == 3, "encode_png needs [1,3,H,W]");
  return encode_with_stb(to_bytes(image).cpu()[0].permute({1, 2, 0}));
}

Tensor to_bytes(const Tensor& image) {
  return image.detach().to(at::kFloat).mul(255).round().clamp(0, 255).to(at::kByte);
}

Tensor from_bytes(const Tensor& bytes) {
  // Division by a tensor: CUDA turns division by a number into a product, one bit off in places.
  return bytes.to(at::kFloat).div(at::full({}, 255, bytes.options().dtype(at::kFloat)));
}

Tensor quantize(const Tensor& image) {
  return from_bytes(to_bytes(image));
}

bool on_lattice(const Tensor& image) {
  constexpr double kRounding = 1e-3;  // of float32 arithmetic, in gray levels
  const Tensor levels = image.detach().to(at::kFloat).mul(255);
  const Tensor off = (levels - levels.round().clamp(0, 255)).abs();
  return off.le(kRounding).all().item<bool>();
}

}  // namespace hijack
