#include "tests/support/toy_tokenizer.h"

#include "src/base/error.h"

namespace hijack {

ToyTokenizer::ToyTokenizer()
    : words_{"<unk>", "</s>", "<image>", "I",   "was",  "hijacked", "by",  "an",   "image", "yes", "no",
             "sure",  "here", "it",      "is",  "what", "color",    "the", "cat",  "dog",   "red", "blue",
             "green", "how",  "many",    "one", "two",  "three",    "say", "send", "to",    "me",  "please"} {
}

Encoding ToyTokenizer::encode_with_offsets(std::string_view text, bool) const {
  Encoding result;
  size_t at = 0;
  while ((at = text.find_first_not_of(" \t\r\n", at)) != std::string_view::npos) {
    const size_t end = std::min(text.find_first_of(" \t\r\n", at), text.size());
    result.ids.push_back(token_to_id(text.substr(at, end - at)).value_or(kUnknown));
    result.offsets.emplace_back(at, end);
    at = end;
  }
  return result;
}

TokenIds ToyTokenizer::encode(std::string_view text, bool add_special_tokens) const {
  return encode_with_offsets(text, add_special_tokens).ids;
}

TokenIds ToyTokenizer::encode_with_dropout(std::string_view text, double, uint64_t) const {
  return encode(text, false);
}

std::string ToyTokenizer::decode(std::span<const TokenId> ids, bool skip_special_tokens) const {
  std::string text;
  for (const TokenId id : ids) {
    const std::string word = id_to_token(id);
    if (skip_special_tokens && is_special(id)) continue;
    text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

int64_t ToyTokenizer::vocabulary_size() const {
  return static_cast<int64_t>(words_.size());
}

std::optional<TokenId> ToyTokenizer::token_to_id(std::string_view token) const {
  const auto word = std::find(words_.begin(), words_.end(), token);
  if (word == words_.end()) return std::nullopt;
  return word - words_.begin();
}

std::string ToyTokenizer::id_to_token(TokenId id) const {
  if (id < 0 || id >= vocabulary_size()) throw Error("there is no token " + std::to_string(id) + ".");
  return words_[static_cast<size_t>(id)];
}

}  // namespace hijack
