#include "models/query.h"

namespace hijack {

std::string key_of(const Query& query) {
  std::string key;
  const auto add = [&](const std::string& part) { key += std::to_string(part.size()) + ":" + part; };
  add(query.prompt);
  add(query.system);
  for (const Turn& turn : query.earlier) add(turn.user), add(turn.assistant);
  return key;
}

}  // namespace hijack
