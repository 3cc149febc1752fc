#include "models/tokenizer/word_piece.h"

#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {

WordPiece::WordPiece(const json_reader::Json& model, const std::string& where)
    : WordModel(model, where),
      unknown_(json_reader::text(model, "unk_token", where)),
      prefix_(json_reader::text(model, "continuing_subword_prefix", where)),
      longest_word_(static_cast<size_t>(json_reader::count(model, "max_input_chars_per_word", where))) {
  for (const auto& [token, id] : vocabulary()) longest_token_ = std::max(longest_token_, token.size());
}

std::optional<WordToken> WordPiece::longest(std::string_view word, size_t begin) const {
  const std::string prefix = begin > 0 ? prefix_ : std::string();
  size_t end = std::min(word.size(), begin + longest_token_);
  while (end < word.size() && end > begin && !unicode::starts_character(word[end])) --end;
  for (; end > begin; --end) {
    if (end < word.size() && !unicode::starts_character(word[end])) continue;
    if (const auto id = id_of(prefix + std::string(word.substr(begin, end - begin))))
      return WordToken{*id, static_cast<uint32_t>(begin), static_cast<uint32_t>(end)};
  }
  return {};
}

void WordPiece::encode(std::string_view word, std::vector<WordToken>& tokens) const {
  std::vector<WordToken> found;
  size_t begin = unicode::count(word) > longest_word_ ? word.size() + 1 : 0;
  while (begin < word.size()) {
    const auto token = longest(word, begin);
    if (!token) break;
    found.push_back(*token);
    begin = token->end;
  }
  if (begin == word.size()) {
    tokens.insert(tokens.end(), found.begin(), found.end());
    return;
  }
  const auto unknown = id_of(unknown_);
  if (!unknown) throw Error("the tokenizer's unk_token '" + unknown_ + "' is not in its vocabulary");
  tokens.push_back({*unknown, 0, static_cast<uint32_t>(word.size())});
}

void WordPiece::encode_with_dropout(std::string_view, double, Random&, std::vector<WordToken>&) const {
  throw Error("BPE-dropout needs a BPE tokenizer; this one is WordPiece, which has no merges");
}

}  // namespace hijack::tokenizer
