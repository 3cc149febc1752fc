#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/query.h"
#include "src/base/tensor.h"

// A request of POST /v1/chat/completions, read: everything in it is hostile.

namespace hijack {

/// What is taken from anybody.
struct ServeLimits {
  int64_t max_request_bytes = int64_t{32} << 20;
  int64_t max_new_tokens = 4096;   ///< that a request may ask for
  int64_t usual_new_tokens = 256;  ///< where it does not say
  int64_t max_image_side = 8192;
  int64_t max_image_pixels = 32'000'000;
  size_t max_messages = 256;
  double seconds = 300;  ///< for waiting until the model is free, and again for the reply
};

struct ChatRequest {
  std::string model;  ///< "" where it names none
  Query query;
  Tensor image;  ///< [1,3,H,W] in [0,1]; undefined without one
  GenerateOptions options;
  std::vector<std::string> stop;  ///< texts before which the reply ends
  bool stream = false;
  bool usage_in_stream = false;
  bool logprobs = false;
  int64_t top_logprobs = 0;
  /// vLLM's prompt_logprobs with continue_final_message: the beginning of a reply (the last message) is
  /// scored.
  bool scores_reply = false;
  int64_t prompt_logprobs = 0;  ///< likeliest tokens beside each scored one
  std::string scored_reply;
};

/// Throws RequestError (400) in one sentence that names the parameter: for what is not JSON or of another
/// type, texts that are no conversation, pictures that are no data: URL of a PNG or JPEG file or too large,
/// more than one picture, and what the samplers cannot do (n, penalties, logit_bias, tools,
/// response_format).
ChatRequest parse_chat_request(std::string_view body, const ServeLimits& limits);

}  // namespace hijack
