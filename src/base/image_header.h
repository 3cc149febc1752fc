#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hijack {

enum class ImageFormat { kPng, kJpeg, kWebp, kBmp, kTiff };

/// What the bytes of an image file say before anything is decoded.
struct ImageHeader {
  ImageFormat format = ImageFormat::kPng;
  int64_t width = 0;  ///< as stored, before EXIF rotation
  int64_t height = 0;
  int orientation = 1;  ///< EXIF, 1..8
  /// PNG: the one color that is transparent (tRNS of gray and RGB images, and of a palette with one clear
  /// color). No other transparency is here.
  /// load_image shows it white, as transformers' image processors do.
  std::optional<std::array<uint8_t, 3>> clear_color = {};
};

/// Walks the parts of a PNG, JPEG or WebP file to its end marker, and checks that the pixels which a BMP or
/// TIFF file promises are there. Throws Error, naming `where`, for anything else, and for cut off or damaged
/// files, 16-bit PNG, CMYK, 12-bit or lossless JPEG, animated WebP and PNG, BMP of 16 bits or with run
/// lengths, and TIFF with several pages, transparency, other than 8 bits, or a compression other than LZW,
/// Deflate and PackBits.
ImageHeader read_image_header(std::string_view bytes, const std::string& where);

/// EXIF orientation of a TIFF block (with or without "Exif\0\0" before it); 1 when it has none that is valid.
int exif_orientation(std::string_view tiff);

}  // namespace hijack
