#pragma once
#include "models/families/image_prompt_model.h"

// What a model needs in memory, from shapes alone. Letters: s bytes of a number, L tokens of prompt and
// image, N new tokens, T tokens of target, D width, H heads and K key-value heads of d channels, M width of
// the MLP, V vocabulary.

namespace hijack {

struct MemoryEstimate {
  double weights = 0;  ///< parameters x s
  /// One step of an attack on one image and one context: weights + what the backward pass needs,
  /// s (tower + layers x L 2 (D + Hd + Kd + M)), + one block's gradients 3sLM, + logits 12TV.
  double attack = 0;
  /// The same where blocks are recomputed in the backward pass and keep only their inputs, s layers L D.
  double attack_checkpointed = 0;
  /// Weights + keys and values 2s layers (L+N)Kd, + the largest intermediate results 3sLM, + logits 4V.
  double chat = 0;
};

/// pixels: of the image, on any device; only their shape is read. The program itself (libtorch) comes on top,
/// about 0.2 GB, and while weights are converted from a file of another dtype, the pages of that file.
MemoryEstimate estimate_memory(const ImagePromptModel& model, const Pixels& pixels, int64_t parameters,
                               at::ScalarType dtype);

}  // namespace hijack
