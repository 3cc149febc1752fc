#pragma once
#include "models/tokenizer.h"

namespace hijack {

/// Words separated by single spaces; what is not in the vocabulary becomes <unk>.
class ToyTokenizer : public Tokenizer {
 public:
  ToyTokenizer();
  TokenIds encode(std::string_view text, bool add_special_tokens) const override;
  Encoding encode_with_offsets(std::string_view text, bool add_special_tokens) const override;
  /// Words do not merge: the same as encode.
  TokenIds encode_with_dropout(std::string_view text, double dropout, uint64_t seed) const override;
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens) const override;
  int64_t vocabulary_size() const override;
  std::optional<TokenId> token_to_id(std::string_view token) const override;
  std::string id_to_token(TokenId id) const override;
  bool is_special(TokenId id) const override { return id < 3; }

  static constexpr TokenId kUnknown = 0;
  static constexpr TokenId kEnd = 1;    ///< "</s>"
  static constexpr TokenId kImage = 2;  ///< "<image>"

 private:
  std::vector<std::string> words_;
};

}  // namespace hijack
