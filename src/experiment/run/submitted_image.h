#pragma once
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/vision_language_model.h"

// Attacked, benign and calibration images take one way into an experiment: a threshold that was fitted on
// images of another size or sharpness than those it judges holds for nothing.

namespace hijack {

/// An image as a user of the experiment submits it: at the model's input size in space "input", as it is in
/// space "photo" (the model resizes it). image [1,3,H,W] in [0,1]; the result is on the CPU.
Tensor as_submitted(const VisionLanguageModel& model, const std::string& space, const Tensor& image);

/// Whether two pictures show the same, whatever their size, proportions, encoding, brightness and contrast,
/// mirrored or not: their 16 x 16 thumbnails correlate to at least .95. [1,3,H,W] each.
bool same_picture(const Tensor& a, const Tensor& b);

/// What calibration submissions show: generated scenes, other ones than the utility questions show, and
/// windows of shipped photographs. No two are equal, so that detectors that look at images alone have as many
/// scores as there are submissions. Keeps what it has made; always the same for the same model and space.
class BenignPictures {
 public:
  BenignPictures(std::shared_ptr<const VisionLanguageModel> model, std::string space);

  /// False for a language model: what it is asked has no picture.
  bool are_shown() const { return model_->takes_images(); }
  /// Scene number `index`.
  Tensor scene(size_t index);
  /// Names of shipped photographs that show something else than all of `attacked` (an installation may have
  /// none).
  std::vector<std::string> photos_beside(const std::vector<Tensor>& attacked);
  /// Number 0 is the whole photograph, each other one a window of at least half its sides, mirrored or not.
  Tensor photo(const std::string& name, size_t index);

 private:
  const Tensor& whole(const std::string& name);

  std::shared_ptr<const VisionLanguageModel> model_;
  std::string space_;
  std::vector<Tensor> scenes_;
  std::map<std::string, Tensor> whole_;
  std::map<std::pair<std::string, size_t>, Tensor> windows_;
};

}  // namespace hijack
