#include <ATen/ATen.h>

#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/image_codec.h"
#include "src/base/round_trips.h"

namespace hijack {
namespace {

/// One thread (the work is spread over processes), and no words on stderr.
void prepare_opencv() {
  static const bool kDone = [] {
    cv::setNumThreads(1);
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    return true;
  }();
  (void)kDone;
}

/// [H,W,3] RGB, or undefined.
Tensor decode(const cv::Mat& encoded) {
  cv::Mat bgr;
  try {
    bgr = cv::imdecode(encoded, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception&) {
    return {};
  }
  if (bgr.empty() || bgr.type() != CV_8UC3) return {};
  Tensor rgb = at::empty({bgr.rows, bgr.cols, 3}, at::kByte);
  cv::Mat target(bgr.rows, bgr.cols, CV_8UC3, rgb.mutable_data_ptr());
  cv::cvtColor(bgr, target, cv::COLOR_BGR2RGB);
  return rgb;
}

/// bytes [3,H,W] uint8, through the codec of the ending.
Tensor codec_once(const Tensor& bytes, const std::string& ending, const std::vector<int>& parameters) {
  Tensor rgb = bytes.permute({1, 2, 0}).contiguous();
  const cv::Mat source(static_cast<int>(rgb.size(0)), static_cast<int>(rgb.size(1)), CV_8UC3,
                       rgb.mutable_data_ptr());
  cv::Mat bgr;
  cv::cvtColor(source, bgr, cv::COLOR_RGB2BGR);
  std::vector<unsigned char> encoded;
  TORCH_CHECK(cv::imencode(ending, bgr, encoded, parameters), "encoding failed: ", ending);
  const Tensor decoded = decode(cv::Mat(encoded));
  TORCH_CHECK(decoded.defined(), "what was just encoded could not be decoded: ", ending);
  return decoded.permute({2, 0, 1});
}

Tensor codec_round_trip(const Tensor& image, const std::string& ending, const std::vector<int>& parameters) {
  prepare_opencv();
  TORCH_CHECK(image.dim() == 4 && image.size(1) == 3, "a round trip needs [N,3,H,W]");
  const Tensor bytes = to_bytes(image).cpu();
  std::vector<Tensor> decoded;
  for (int64_t i = 0; i < bytes.size(0); ++i) decoded.push_back(codec_once(bytes[i], ending, parameters));
  return from_bytes(at::stack(decoded)).to(image.device());
}

}  // namespace

Tensor decode_photo(std::string_view bytes, ImageFormat, const std::string&) {
  prepare_opencv();
  return decode(cv::Mat(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data())));
}

Tensor jpeg_round_trip(const Tensor& image, int quality) {
  if (quality < 1 || quality > 100)
    throw Error("the JPEG quality must be in 1..100, not " + std::to_string(quality));
  return codec_round_trip(image, ".jpg", {cv::IMWRITE_JPEG_QUALITY, quality});
}

Tensor webp_round_trip(const Tensor& image, int quality) {
  TORCH_CHECK(quality >= 1 && quality <= 100, "the WebP quality must be in 1..100");
  return codec_round_trip(image, ".webp", {cv::IMWRITE_WEBP_QUALITY, quality});
}

Tensor bmp_round_trip(const Tensor& image) {
  return codec_round_trip(image, ".bmp", {});
}

}  // namespace hijack
