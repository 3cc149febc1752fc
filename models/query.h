#pragma once
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace hijack {

struct Turn {
  std::string user;
  std::string assistant;
};

/// What the user asks: the prompt, and what came before it. The chat template is the model's business.
struct Query {
  std::string prompt;
  std::string system = {};
  std::vector<Turn> earlier = {};
};

struct GenerateOptions {
  int64_t max_new_tokens = 48;
  double temperature = 0;  ///< 0 = greedy
  double top_p = 1;        ///< nucleus, used when temperature > 0
  uint64_t seed = 0;
  /// Called with each new piece of text of reply `index` (for streaming). May be empty.
  std::function<void(size_t index, std::string_view piece)> on_text = {};
  std::stop_token stop = {};  ///< ends early with what is there
};

}  // namespace hijack
