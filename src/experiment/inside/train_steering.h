#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/experiment/inside/examples.h"

// `hijack train steering`: the direction in which an adversarial image's strongest patches move a model's
// states (ASTRA, Wang et al. 2025).

namespace hijack {

struct SteeringTrainConfig {
  std::vector<std::string> runs;
  std::vector<std::string> moved_models;
  int64_t layer = 0;  ///< that the defense changes unless it is told another; 0 = 44 % of the depth
  int64_t ablations = 64;
  int64_t patches = 15;
  int64_t patch_side = 16;
  double lasso = 0.01;
  int64_t prompts = 8;  ///< of each image
  uint64_t seed = 0;
  std::string out;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("layer", layer,
          "of the residual stream, which the defense changes; 0 = 44 % of the depth (14 of 32 in ASTRA)");
    field("ablations", ablations,
          "random sets of half of the patches that the reply's likelihood is measured on");
    field("patches", patches, "how many of the strongest patches are taken away");
    field("patch_side", patch_side, "of a patch, in pixels of the model's input");
    field("lasso", lasso, "weight of the L1 penalty of the regression on patches");
    field("prompts", prompts, "of each image, at most");
    field("seed", seed, "of the random sets");
    field("out", out, "safetensors file to write");
  }
};

/// What is known of one image: mean log-likelihood of the replies that it forced.
struct SteeredImage {
  int64_t prompts = 0;
  int64_t patches = 0;     ///< taken away
  double whole = 0;        ///< of the image as it is
  double without = 0;      ///< without the strongest patches
  double without_any = 0;  ///< without as many random ones: the control
};

struct TrainedSteering {
  int64_t layer = 0;
  int64_t honest = 0;  ///< tokens of honest replies that the reference is the mean of
  std::vector<SteeredImage> images = {};
};
nlohmann::json to_json(const TrainedSteering& trained);

/// Which patches of `image` [1,3,h,w] make the replies likely: indices into the grid of patches, row by row,
/// the strongest first; those whose coefficient is above 0, at most config.patches. A patch that is taken
/// away has the image's mean color.
std::vector<int64_t> strongest_patches(const std::function<double(const Tensor& image)>& likelihood,
                                       const Tensor& image, const SteeringTrainConfig& config,
                                       Random& random);
/// The image with these patches of the grid in its mean color.
Tensor without_patches(const Tensor& image, const std::vector<int64_t>& patches, int64_t side);

/// Writes `out` (SteeringVectors in a trained_file.h). Of every layer the mean over the images of the states
/// of the last prompt token, less those without the strongest patches; and the mean state of the tokens of
/// honest replies. Throws Error as read_examples, for runs in which no image forced a reply, and where no
/// patch matters.
TrainedSteering train_steering(const SteeringTrainConfig& config,
                               const std::function<void(const std::string&)>& note);

}  // namespace hijack
