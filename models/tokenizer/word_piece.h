#pragma once
#include "models/tokenizer/word_model.h"

namespace hijack::tokenizer {

/// WordPiece as BERT has it (Schuster & Nakajima 2012, Devlin et al. 2019): the longest token that begins the
/// word, then the longest with a prefix ("##") that begins the rest, and so on; a word that cannot be covered
/// is the unknown token.
class WordPiece : public WordModel {
 public:
  WordPiece(const nlohmann::json& model, const std::string& where);
  void encode(std::string_view word, std::vector<WordToken>& tokens) const override;
  void encode_with_dropout(std::string_view word, double dropout, Random& random,
                           std::vector<WordToken>& tokens) const override;

 private:
  /// The token of word[begin, end) for the longest end; nullopt where none begins there.
  std::optional<WordToken> longest(std::string_view word, size_t begin) const;

  std::string unknown_, prefix_;
  size_t longest_word_ = 100;  // in characters
  size_t longest_token_ = 0;   // in bytes: nothing longer is looked up
};

}  // namespace hijack::tokenizer
