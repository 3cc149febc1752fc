#pragma once
#include <cstdint>
#include <vector>

#include "src/training/eye_model.h"
#include "src/training/own_replies.h"

namespace hijack {

/// Does the decoder go on talking as it does without an image? Of its own replies to prompts that training
/// never saw.
struct ChatCheck {
  int64_t replies = 0;
  int64_t equal_first = 0;  ///< whose first token is the same with an image in front
  double nll_without = 0;   ///< mean negative log-likelihood of their tokens, nats
  double nll_with = 0;      ///< the same with an image in front
};

/// n prompts, each before a scene, a texture or, where there are some, a photo [1,3,H,W] in turn.
ChatCheck check_chat(const EyeModel& eye, const std::vector<Tensor>& photos, int64_t n, uint64_t seed);

}  // namespace hijack
