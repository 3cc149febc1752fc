#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "models/sae/sae.h"
#include "src/experiment/inside/latent_tests.h"

// What a model computes at the hook of a sparse autoencoder while it sees an image. Shapes: n image tokens, t
// tokens of a prompt, D width, S latents.

namespace hijack {

struct ConditionStates {
  Tensor image = {};               ///< [n,D], with the first context
  std::vector<Tensor> text = {};   ///< by context [t,D]: tokens of the prompt behind the image
  std::vector<TokenIds> ids = {};  ///< of those
};
/// image [1,3,H,W]. text: kPrompt, or kLast for the last token alone. Throws Error as StateHooks::states_at.
ConditionStates condition_states(const VisionLanguageModel& model, const Tensor& image,
                                 std::span<const Query> queries, const Hook& hook,
                                 TokenChoice text = TokenChoice::kPrompt);

/// Of one trial: "clean", "hijack" and, where there is such an image, "noise".
using TrialStates = std::map<std::string, ConditionStates>;

/// z |w_dec| of states [..,D]: by how much each latent moves them.
Tensor strengths(const SparseAutoencoder& sae, const Tensor& states);

/// Strengths by place of an image, those of all trials one below the other [sum n,S].
LatentValues image_values(const SparseAutoencoder& sae, const std::vector<TrialStates>& trials);
/// Mean strengths by context [C,S], over tokens and trials.
LatentValues text_values(const SparseAutoencoder& sae, const std::vector<TrialStates>& trials);

/// All tokens [.,D] of a kind ("image" or "text") in a condition; undefined where there are none.
Tensor all_states(const std::vector<TrialStates>& trials, const std::string& condition,
                  const std::string& kind);

}  // namespace hijack
