#pragma once
#include <string>
#include <string_view>

#include "src/base/image_header.h"
#include "src/base/tensor.h"

// Inside of image.cpp: the decoders. Which image_codec_*.cpp is built depends on whether OpenCV was found.

namespace hijack {

/// JPEG, WebP, BMP or TIFF, as stored (no rotation) -> uint8 [H,W,3] RGB; an undefined tensor when it cannot
/// be decoded.
Tensor decode_photo(std::string_view bytes, ImageFormat format, const std::string& where);

/// The same by stb_image: PNG, and JPEG where there is no OpenCV.
Tensor decode_with_stb(std::string_view bytes);

/// uint8 [H,W,3] -> PNG bytes.
std::string encode_with_stb(const Tensor& bytes);

}  // namespace hijack
