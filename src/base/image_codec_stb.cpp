#include <ATen/ATen.h>

#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/image_codec.h"
#include "src/base/round_trips.h"

namespace hijack {

Tensor decode_photo(std::string_view bytes, ImageFormat format, const std::string& where) {
  if (format != ImageFormat::kJpeg)
    throw Error(where + " is a WebP, BMP or TIFF image, which needs a build with OpenCV; convert it to PNG");
  return decode_with_stb(bytes);
}

Tensor jpeg_round_trip(const Tensor&, int) {
  throw Error("JPEG compression needs a build with OpenCV; install libopencv-dev and build again");
}

Tensor webp_round_trip(const Tensor&, int) {
  throw Error("WebP compression needs a build with OpenCV; install libopencv-dev and build again");
}

Tensor bmp_round_trip(const Tensor&) {
  throw Error("BMP files need a build with OpenCV; install libopencv-dev and build again");
}

}  // namespace hijack
