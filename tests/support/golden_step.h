#pragma once
#include <filesystem>

#include "models/vision_language_model.h"
#include "src/base/image.h"

namespace hijack::support {

/// What a step of an attack computes with a model: float32 logits of all targets one below the other, and the
/// gradient of their mean loss at the pixel values.
struct Step {
  Tensor logits, gradient;
};

/// Three contexts of different lengths over one picture of tests/golden.
inline Step golden_step(const VisionLanguageModel& model) {
  const std::vector<Query> queries = {
      {"What is it?"}, {"Where is the cat?"}, {"Say something else about this picture."}};
  const TokenIds target = model.target_ids("it is a cat");
  const std::vector<TokenIds> targets(queries.size(), target);
  const auto picture = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/llava/images/wide.png";
  Pixels pixels = model.preprocess(load_image(picture));
  pixels.values = pixels.values.detach().requires_grad_(true);
  const Tensor logits = at::cat(model.target_logits(pixels, queries, targets), 0);
  const Tensor loss = at::cross_entropy_loss(logits, at::tensor(target, at::kLong).repeat({3}));
  return {logits.detach(), torch::autograd::grad({loss}, {pixels.values})[0]};
}

}  // namespace hijack::support
