#include "models/embedding_access.h"

#include "src/base/error.h"

namespace hijack {

const PromptEmbeddings& prompt_embeddings_of(const VisionLanguageModel& model) {
  if (const PromptEmbeddings* found = model.embeddings()) return *found;
  throw Error("a " + model.family() +
              " model does not give its prompts' embeddings away: attack it without adversarial prompts "
              "(--cropa-radius 0).");
}

Tensor image_states(const VisionLanguageModel& model, const Pixels& pixels, int64_t layer) {
  if (const HiddenStates* found = model.states()) return found->image_states(pixels, layer);
  if (layer != 0)
    throw Error("a " + model.family() + " model does not show its layers: leave --feature-layer at 0.");
  return model.image_features(pixels);
}

Tensor text_states(const VisionLanguageModel& model, const std::string& text, int64_t layer) {
  if (const HiddenStates* found = model.states()) return found->text_states(text, layer);
  throw Error("a " + model.family() +
              " model does not show the features of a text: name a picture with --feature-image.");
}

}  // namespace hijack
