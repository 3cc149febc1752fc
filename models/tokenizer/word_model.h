#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/tokenizer/json_reader.h"

namespace hijack {
class Random;
}

namespace hijack::tokenizer {

/// A token and the bytes [begin, end) of the word that it stands for.
struct WordToken {
  uint32_t id, begin, end;
};

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using Vocabulary = std::unordered_map<std::string, uint32_t, StringHash, std::equal_to<>>;

/// What makes tokens of a word: the "model" of tokenizer.json. Many threads may encode at once.
class WordModel {
 public:
  virtual ~WordModel() = default;
  WordModel(const WordModel&) = delete;
  WordModel& operator=(const WordModel&) = delete;

  /// Appends the tokens of one word (well-formed UTF-8).
  virtual void encode(std::string_view word, std::vector<WordToken>& tokens) const = 0;
  /// Each merge is passed over with probability `dropout` whenever it comes up. Throws Error where the model
  /// has no merges.
  virtual void encode_with_dropout(std::string_view word, double dropout, Random& random,
                                   std::vector<WordToken>& tokens) const = 0;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  std::optional<uint32_t> id_of(std::string_view token) const;
  /// nullptr where the id is unknown.
  const std::string* token_of(uint32_t id) const;
  /// The number of its ids.
  size_t size() const { return tokens_.size(); }

 protected:
  /// Reads the vocabulary. Throws Error naming the place for what is no vocabulary, and for duplicate ids.
  WordModel(const nlohmann::json& model, const std::string& where);
  /// Tokens by id. Of a token that is there twice the later id counts, as in the package.
  explicit WordModel(std::vector<std::string> tokens);
  /// By byte, the token "<0x0A>" that stands for it.
  std::array<std::optional<uint32_t>, 256> byte_tokens() const;

 private:
  Vocabulary vocabulary_;
  std::unordered_map<uint32_t, const std::string*> tokens_;
};

/// BPE, WordPiece or Unigram. Throws Error for any other type.
std::unique_ptr<const WordModel> make_word_model(const nlohmann::json& model, const std::string& where);

}  // namespace hijack::tokenizer
