#include "defenses/detectors/first_tokens.h"

#include <algorithm>

namespace hijack {

std::vector<int64_t> first_tokens(const Tokenizer& tokenizer, const std::vector<std::string>& words) {
  std::vector<int64_t> found;
  for (const std::string& word : words)
    for (const std::string& text : {word, " " + word}) {
      const TokenIds ids = tokenizer.encode(text, false);
      if (!ids.empty() && std::find(found.begin(), found.end(), ids[0]) == found.end())
        found.push_back(ids[0]);
    }
  return found;
}

}  // namespace hijack
