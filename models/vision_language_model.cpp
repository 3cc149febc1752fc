#include "models/vision_language_model.h"

#include "src/base/error.h"

namespace hijack {

std::vector<Tensor> VisionLanguageModel::shifted_target_logits(const Pixels& pixels,
                                                               std::span<const Query> queries,
                                                               std::span<const TokenIds> targets,
                                                               std::span<const Tensor> shifts) const {
  if (std::any_of(shifts.begin(), shifts.end(), [](const Tensor& shift) { return shift.defined(); }))
    throw Error("a " + family() +
                " model does not give its prompts' embeddings away: attack it without adversarial prompts "
                "(--cropa-radius 0).");
  return target_logits(pixels, queries, targets);
}

Tensor VisionLanguageModel::image_states(const Pixels& pixels, int64_t layer) const {
  if (layer != 0)
    throw Error("a " + family() + " model does not show its layers: leave --feature-layer at 0.");
  return image_features(pixels);
}

Tensor VisionLanguageModel::text_states(const std::string&, int64_t) const {
  throw Error("a " + family() +
              " model does not show the features of a text: name a picture with --feature-image.");
}

}  // namespace hijack
