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

/// Equal for equal queries only: every part has its length before it.
std::string key_of(const Query& query);

/// What a model says.
struct Generated {
  std::string text;
  /// It ended before an end token: at max_new_tokens, at the end of the context window, or stopped. What the
  /// model would have gone on to say is unknown, so the text is no whole reply.
  bool cut = false;

  bool operator==(const Generated&) const = default;
};

/// How many replies are asked for together where many are wanted: what a process needs in memory does not
/// grow with the number of questions.
inline constexpr size_t kRepliesAtOnce = 25;

struct GenerateOptions {
  int64_t max_new_tokens = 48;  ///< the end token counts as one
  double temperature = 0;       ///< 0 = greedy
  double top_p = 1;             ///< nucleus, used when temperature > 0
  int64_t top_k = 0;            ///< likeliest tokens drawn from, before top_p; 0 = all
  uint64_t seed = 0;
  /// One for each query, in place of `seed`: a draw that does not depend on what else is asked. `seed` alone
  /// stands for the streams Random(seed).fork("reply", index).
  std::vector<uint64_t> seeds = {};
  /// Called with each new piece of text of reply `index` (for streaming). May be empty.
  std::function<void(size_t index, std::string_view piece)> on_text = {};
  std::stop_token stop = {};  ///< ends early with what is there, as cut
};

/// The options of queries [begin, begin + count) of those that these options are for: their seeds, and
/// on_text called with their numbers among all.
GenerateOptions part_of(const GenerateOptions& options, size_t begin, size_t count);

}  // namespace hijack
