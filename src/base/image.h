#pragma once
#include <filesystem>

#include "src/base/tensor.h"

// Images are float32 tensors [1,3,H,W] in [0,1], RGB. "On the lattice" means every value is k/255.

namespace hijack {

/// Limits checked in the file's header before anything is decoded.
struct ImageLimits {
  int64_t max_bytes = int64_t{64} << 20;
  int64_t max_side = 16384;
  int64_t max_pixels = 64'000'000;
};

/// Decodes PNG, JPEG, WebP, BMP or TIFF to [1,3,H,W] on the lattice. EXIF rotation is applied, alpha is
/// dropped (as transformers' load_image does), gray is repeated to RGB. Throws Error for 16-bit, CMYK, cut
/// off, damaged, too large or foreign files; a JPEG whose damage leaves its structure whole is read as PIL
/// reads it (libjpeg may warn on stderr).
Tensor load_image(const std::filesystem::path& file, const ImageLimits& limits = {});

/// Writes an image that is on the lattice as PNG (temporary name, then rename). image [1,3,H,W].
void save_png(const Tensor& image, const std::filesystem::path& file);

/// PNG bytes of an image, for the report.
std::string encode_png(const Tensor& image);

/// JPEG bytes decoded again: [N,3,H,W] in [0,1] -> the same shape on the lattice. quality 1..100.
/// Throws Error in a build without OpenCV.
Tensor jpeg_round_trip(const Tensor& image, int quality);

/// [..] in [0,1] -> uint8 by rounding to nearest (half to even); and back.
Tensor to_bytes(const Tensor& image);
Tensor from_bytes(const Tensor& bytes);

/// Nearest lattice point.
Tensor quantize(const Tensor& image);
bool on_lattice(const Tensor& image);

}  // namespace hijack
