#include "attacks/text/suffix.h"

#include "src/base/error.h"

namespace hijack {
namespace {

constexpr int kTriesPerPlace = 1000;  // candidates per position before it counts as impossible

bool printable(const std::string& text) {
  bool visible = false;
  for (char c : text) {
    if (c < ' ' || c > '~') return false;
    visible = visible || c != ' ';
  }
  return visible;
}

}  // namespace

std::vector<TokenId> printable_tokens(const Tokenizer& tokenizer) {
  std::vector<TokenId> pool;
  for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id) {
    if (tokenizer.is_special(id)) continue;
    try {
      if (printable(tokenizer.decode({&id, 1}, true))) pool.push_back(id);
    } catch (const Error&) {  // a hole in the vocabulary
    }
  }
  return pool;
}

bool survives(const Tokenizer& tokenizer, const TokenIds& ids) {
  return tokenizer.encode(tokenizer.decode(ids, true), false) == ids;
}

TokenIds gibberish_ids(const Tokenizer& tokenizer, const std::vector<TokenId>& pool, int64_t tokens,
                       Random& random) {
  if (tokens < 1 || tokens > 1000)
    throw Error("A suffix has 1 to 1000 tokens, not " + std::to_string(tokens) + ".");
  TokenIds ids;
  for (int tries = 0; !pool.empty() && tries < kTriesPerPlace; ++tries) {
    ids.push_back(random.pick(pool));
    if (!survives(tokenizer, ids)) {
      ids.pop_back();
      continue;
    }
    if (static_cast<int64_t>(ids.size()) == tokens) return ids;
    tries = 0;
  }
  throw Failure("No suffix of " + std::to_string(tokens) + " printable tokens survives the tokenizer.");
}

Context with_suffix(const Context& context, const std::string& suffix) {
  Context longer = context;
  longer.prompt += " " + suffix;
  return longer;
}

std::string gibberish_suffix(const Tokenizer& tokenizer, int64_t tokens, uint64_t seed) {
  Random random = Random(seed).fork("gibberish suffix");
  return tokenizer.decode(gibberish_ids(tokenizer, printable_tokens(tokenizer), tokens, random), true);
}

}  // namespace hijack
