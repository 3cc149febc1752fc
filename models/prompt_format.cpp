#include "models/prompt_format.h"

namespace hijack {

std::string render_llava(const Query& query, bool with_image) {
  std::string text;
  if (!query.system.empty()) text += query.system + " ";
  bool image = with_image;
  const auto user = [&](const std::string& prompt) {
    text += "USER: ";
    if (image) text += "<image>\n";
    image = false;
    text += prompt + " ";
  };
  for (const auto& turn : query.earlier) {
    user(turn.user);
    text += "ASSISTANT: " + turn.assistant + " ";
  }
  user(query.prompt);
  return text + "ASSISTANT:";
}

}  // namespace hijack
