#include "defenses/detectors/scaling_check.h"

#include "models/preprocess/resizer.h"
#include "src/base/error.h"
#include "src/base/image_similarity.h"

namespace hijack {

void ScalingCheck::Parameters::check() const {
  if (!size.empty()) parse_size(size);
  check_choice("filter", filter, resizer_names());
  check_choice("measure", measure, {"mse", "ssim"});
  limit.check();
}

ScalingCheck::ScalingCheck(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters) {
  parameters_.check();
  if (!parameters_.size.empty()) {
    const Size2d size = parse_size(parameters_.size);
    height_ = size.height, width_ = size.width;
  } else if (resources.model && resources.model->takes_images()) {
    height_ = resources.model->image_spec().height, width_ = resources.model->image_spec().width;
  } else {
    throw Error("Defense 'scaling_check' needs a model that takes images, or size=224.");
  }
  fit_on_images(parameters_.limit, resources);
}

double ScalingCheck::ceiling() const {
  return parameters_.measure == "mse" ? 255.0 * 255.0 : 2;
}

Tensor ScalingCheck::scaled_and_back(const Tensor& image) const {
  const int64_t height = image.size(2), width = image.size(3);
  const bool smaller = height_ < height && width_ < width;
  const Tensor small =
      resize_as(parameters_.filter, image, smaller ? height_ : std::max<int64_t>(1, height / 2),
                smaller ? width_ : std::max<int64_t>(1, width / 2));
  return resize_as(parameters_.filter, small, height, width);
}

Tensor ScalingCheck::image_score(const Tensor& image) const {
  const Tensor back = scaled_and_back(image);
  return parameters_.measure == "mse" ? (255 * (image - back)).square().mean() : 1 - ssim_tensor(image, back);
}

SubmissionDetector::Verdict ScalingCheck::judge(const Tensor& image) const {
  return {.score = image_score(image).item<double>()};
}

}  // namespace hijack
