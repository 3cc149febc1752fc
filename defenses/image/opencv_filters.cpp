#include "defenses/image/opencv_filters.h"

#include "src/base/error.h"
#include "src/base/image.h"

#ifdef HIJACK_OPENCV
#include <opencv2/imgproc.hpp>
#endif

namespace hijack {

#ifdef HIJACK_OPENCV

namespace {

Tensor filtered(const Tensor& image, const std::function<void(const cv::Mat&, cv::Mat&)>& filter) {
  const Tensor bytes = to_bytes(image).cpu().squeeze(0).permute({1, 2, 0}).contiguous();  // [H,W,3]
  const auto rows = static_cast<int>(bytes.size(0)), columns = static_cast<int>(bytes.size(1));
  const Tensor result = at::empty_like(bytes);
  const cv::Mat source(rows, columns, CV_8UC3, bytes.data_ptr());
  cv::Mat target(rows, columns, CV_8UC3, result.data_ptr());
  filter(source, target);
  TORCH_CHECK(target.data == result.data_ptr(), "OpenCV moved the result");
  return from_bytes(result.permute({2, 0, 1}).unsqueeze(0).contiguous()).to(image.device());
}

}  // namespace

bool have_opencv() {
  return true;
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

Tensor opencv_median(const Tensor&, int64_t) {
  throw Error("This build has no OpenCV for the median filter.");
}

Tensor opencv_blur(const Tensor&, double, int64_t) {
  throw Error("This build has no OpenCV for the blur.");
}

#endif

}  // namespace hijack
