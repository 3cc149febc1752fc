#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/serve/chat_request.h"

namespace hijack {

/// One message, read.
struct ChatMessage {
  std::string role;  ///< system, user or assistant
  std::string text;
  std::vector<Tensor> images;  ///< [1,3,H,W] each
};

/// The messages of a request. Throws RequestError as parse_chat_request.
std::vector<ChatMessage> read_messages(const nlohmann::json& messages, const ServeLimits& limits);

}  // namespace hijack
