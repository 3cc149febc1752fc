#include "models/chat_template/render_plain.h"

namespace hijack {

std::string render_plain(const Query& query) {
  std::string text;
  if (!query.system.empty()) text += query.system + "\n";
  for (const auto& earlier : query.earlier) text += earlier.user + "\n" + earlier.assistant + "\n";
  return text + query.prompt;
}

}  // namespace hijack
