#pragma once
#include <functional>

#include "models/families/image_prompt_model.h"

// What a model needs in memory and time, from shapes alone. Letters: s bytes of a number, r of a number of
// the residual stream (4 with autocast, else s), L tokens of image, prompts and targets, N new tokens, T
// tokens of targets, D width, H heads and K key-value heads of d channels, M width of the MLP, V vocabulary.

namespace hijack {

struct MemoryEstimate {
  /// Parameters x s; with autocast float32 embeddings on top, 2VD, twice for a tied head.
  double weights = 0;
  /// One step of an attack on one image: weights + what the backward pass needs,
  /// s (tower + layers x L 2 (Hd + Kd + M)) + r layers x L 2D, + one block's gradients 3sLM, + logits 12TV.
  double attack = 0;
  /// The same where blocks are recomputed in the backward pass and keep only their inputs, r layers L D.
  double attack_checkpointed = 0;
  /// Weights + keys and values 2s layers (L+N)Kd, + the largest intermediate results 3sLM, + logits 4V.
  double chat = 0;
  /// Multiplications and additions of the step: a pass of the tower, then layers x L 2 (2D (H+K)d + 3DM) for
  /// the weights, 4L Hd for each token and layer in the attention, 2DTV for the logits; the backward pass
  /// takes the same again, and the attention half as much more (its scores are computed anew).
  double operations = 0;
};

/// pixels: of the image, on any device; only their shape is read. The program itself (libtorch) comes on top,
/// about 0.2 GB, and while weights are converted from a file of another dtype, the pages of that file.
/// contexts: prompts of a step, each with a target of its own; chat is about one. dtype: a name of dtype.h,
/// not auto.
MemoryEstimate estimate_memory(const ImagePromptModel& model, const Pixels& pixels, int64_t parameters,
                               const std::string& dtype, int64_t contexts = 1);

/// Seconds of the fastest of several calls, which what else the machine does disturbs least: five, and as
/// many more as fit into 0.2 s; fewer where they take more than 1.5 s.
double fastest_seconds(const std::function<void()>& work);

/// How many multiplications and additions of matrices a device does in a second, by the fastest of several
/// products, as where nothing else runs; takes at most about two seconds. dtype: a name of dtype.h, not auto.
double operations_per_second(at::Device device, const std::string& dtype);

}  // namespace hijack
