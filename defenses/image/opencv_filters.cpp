#include "defenses/image/opencv_filters.h"

#include "defenses/image/opencv_resize.h"

#include "src/base/error.h"
#include "src/base/image.h"

#ifdef HIJACK_OPENCV
#include <opencv2/imgproc.hpp>
#endif

namespace hijack {

#ifdef HIJACK_OPENCV

namespace {

/// image [1,3,H,W] -> [1,3,height,width], by a function of 8-bit pictures.
Tensor filtered(const Tensor& image, int64_t height, int64_t width,
                const std::function<void(const cv::Mat&, cv::Mat&)>& filter) {
  const Tensor bytes = to_bytes(image).cpu().squeeze(0).permute({1, 2, 0}).contiguous();  // [H,W,3]
  const Tensor result = at::empty({height, width, 3}, at::kByte);
  const cv::Mat source(static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), CV_8UC3,
                       bytes.data_ptr());
  cv::Mat target(static_cast<int>(height), static_cast<int>(width), CV_8UC3, result.data_ptr());
  filter(source, target);
  TORCH_CHECK(target.data == result.data_ptr(), "OpenCV moved the result");
  return from_bytes(result.permute({2, 0, 1}).unsqueeze(0).contiguous()).to(image.device());
}

/// In the same size.
Tensor filtered(const Tensor& image, const std::function<void(const cv::Mat&, cv::Mat&)>& filter) {
  return filtered(image, image.size(2), image.size(3), filter);
}

/// INTER_... of a filter of models/preprocess/resizer.h; -1 for Pillow's.
int interpolation_of(const std::string& filter) {
  static const std::map<std::string, int> kFilters = {{"nearest", cv::INTER_NEAREST},
                                                      {"bilinear", cv::INTER_LINEAR},
                                                      {"bicubic", cv::INTER_CUBIC},
                                                      {"area", cv::INTER_AREA}};
  const auto found = kFilters.find(filter);
  return found == kFilters.end() ? -1 : found->second;
}

}  // namespace

bool have_opencv() {
  return true;
}

bool opencv_resizes(const std::string& filter) {
  return interpolation_of(filter) >= 0;
}

Tensor opencv_resize(const std::string& filter, const Tensor& image, int64_t height, int64_t width) {
  if (!opencv_resizes(filter)) throw Error("OpenCV has no filter '" + filter + "'.");
  return filtered(image, height, width, [&](const cv::Mat& from, cv::Mat& to) {
    cv::resize(from, to, to.size(), 0, 0, interpolation_of(filter));
  });
}

Tensor opencv_median(const Tensor& image, int64_t size) {
  return filtered(
      image, [&](const cv::Mat& from, cv::Mat& to) { cv::medianBlur(from, to, static_cast<int>(size)); });
}

Tensor opencv_blur(const Tensor& image, double sigma, int64_t size) {
  const cv::Size kernel(static_cast<int>(size), static_cast<int>(size));
  return filtered(image, [&](const cv::Mat& from, cv::Mat& to) {
    cv::GaussianBlur(from, to, kernel, sigma, sigma, cv::BORDER_REFLECT_101);
  });
}

#else

bool have_opencv() {
  return false;
}

bool opencv_resizes(const std::string&) {
  return false;
}

Tensor opencv_resize(const std::string&, const Tensor&, int64_t, int64_t) {
  throw Error("This build has no OpenCV to resize with.");
}

Tensor opencv_median(const Tensor&, int64_t) {
  throw Error("This build has no OpenCV for the median filter.");
}

Tensor opencv_blur(const Tensor&, double, int64_t) {
  throw Error("This build has no OpenCV for the blur.");
}

#endif

}  // namespace hijack
