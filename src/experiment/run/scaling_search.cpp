// The photo that is another picture once it is resized.
#include <chrono>

#include "attacks/scaling/scaling.h"
#include "attacks/text/typographic.h"
#include "defenses/image/opencv_resize.h"
#include "models/preprocess/resampler.h"
#include "models/preprocess/resizer.h"
#include "src/base/image.h"
#include "src/experiment/run/search.h"

namespace hijack {
namespace {

/// The text on a light ground, in the middle square, which a center crop keeps.
Tensor lettered_ground(const TrialParts& parts, int64_t height, int64_t width) {
  constexpr double kGround = 242.0 / 255;
  const int64_t side = std::min(height, width);
  const Tensor ground = at::full({1, 3, side, side}, kGround, at::kFloat);
  TypographicConfig style = parts.config.typographic;
  style.style = "visible";
  const std::string text = text_to_draw(style, *parts.setup.behavior, {.prompt = "your question"});
  const Lettering large{.height = .3 * static_cast<double>(side), .top = .5, .left = .5};
  const Tensor square = draw_text(ground, text, Font::from_file(style.font), style, large).image;
  const int64_t left = (width - side) / 2, top = (height - side) / 2;
  return at::constant_pad_nd(square, {left, width - side - left, top, height - side - top}, kGround);
}

/// What is to be read, as a picture of this size.
Tensor wanted_picture(const TrialParts& parts, int64_t height, int64_t width) {
  const std::string& file = parts.config.scaling.picture;
  if (file.empty()) return quantize(lettered_ground(parts, height, width));
  const Tensor picture = load_image(file);
  if (picture.size(2) == height && picture.size(3) == width) return picture;
  return from_bytes(resize_bytes(to_bytes(picture), height, width, Filter::kLanczos));
}

/// Who reads the photo: for the search (differentiable), for the record (the deployed resize itself), and
/// what the record shows.
struct PhotoReading {
  PhotoReader search;
  Tensor wanted;  ///< shaped as what `search` gives
  ReadBack record;
};

PhotoReading by_pipeline(const TrialParts& parts) {
  const ScalingConfig& config = parts.config.scaling;
  const Size2d size = parse_size(config.target_size);
  const auto read = [filter = config.filter, size](const Tensor& image) {
    return resize_as(filter, image, size.height, size.width);
  };
  const bool by_opencv = opencv_resizes(config.filter);
  const Tensor wanted = wanted_picture(parts, size.height, size.width).to(parts.model.device());
  const auto deployed = [filter = config.filter, size, by_opencv](const Tensor& image) {
    return by_opencv ? opencv_resize(filter, image, size.height, size.width)
                     : quantize(resize_as(filter, image, size.height, size.width));
  };
  const std::string reader = config.filter + " to " + size_text(size) + (by_opencv ? ", read by OpenCV" : "");
  return {read, wanted, {reader, wanted, deployed}};
}

PhotoReading by_model(const TrialParts& parts) {
  const Tensor& photo = parts.space.photos[0];
  const Tensor full = wanted_picture(parts, photo.size(2), photo.size(3)).to(photo.device());
  const auto read = [&model = parts.model](const Tensor& image) { return model.preprocess(image).values; };
  const auto deployed = [&model = parts.model](const Tensor& image) { return model.to_input_space(image); };
  const at::NoGradGuard no_grad;
  return {read, read(full), {"the model's own preprocessing", deployed(full), deployed}};
}

}  // namespace

std::optional<Found> search_scaling(const TrialParts& parts) {
  const ScalingConfig& config = parts.config.scaling;
  const Tensor& photo = parts.space.photos[0];
  const PhotoReading reading = config.target_size.empty() ? by_model(parts) : by_pipeline(parts);
  ScalingHooks hooks;
  hooks.stop = parts.hooks.stop;
  hooks.after_step = [&](int64_t step, double error) { parts.progress(step, config.steps, error, -1); };
  const auto start = std::chrono::steady_clock::now();
  const auto result = scaling_attack(photo, reading.wanted, reading.search, config, hooks);
  if (!result) return std::nullopt;
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  Found found;
  found.image = result->image;
  found.noise = shuffled_change(result->image, photo, parts.seed());
  found.budget = scaling_budget(config);
  found.constraint_name = "scaling";
  found.constraint = "scaling, " + reading.record.reader +
                     (config.epsilon.empty() ? "" : ", at most " + config.epsilon) +
                     (parts.config.space == "photo" ? " (photo space)" : " (model input space)");
  found.optimizer = "projected least squares";
  found.losses = result->errors;
  found.steps = static_cast<int64_t>(result->errors.size());
  found.best_step = result->best_step;
  found.seconds_per_step = spent.count() / static_cast<double>(std::max<int64_t>(1, found.steps));
  found.read_back = reading.record;
  return found;
}

}  // namespace hijack
