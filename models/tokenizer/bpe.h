#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/tokenizer/word_model.h"

namespace hijack::tokenizer {

/// Byte-pair encoding as in the `tokenizers` package. The only mutable state is a bounded cache of words
/// behind mutexes.
class Bpe : public WordModel {
 public:
  /// Throws Error naming the place for duplicate ids, merges of unknown tokens and options it does not know.
  Bpe(const nlohmann::json& model, const std::string& where);

  void encode(std::string_view word, std::vector<WordToken>& tokens) const override;
  void encode_with_dropout(std::string_view word, double dropout, Random& random,
                           std::vector<WordToken>& tokens) const override;

 private:
  struct Merge {
    uint32_t rank, id;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::vector<WordToken>, StringHash, std::equal_to<>> words;
  };
  struct Skip {
    double dropout;
    Random& random;
  };

  void read_merges(const nlohmann::json& model, const std::string& where);
  void add_merge(const std::string& left, const std::string& right, uint32_t rank,
                 const std::function<std::string()>& where);
  const Merge* merge_of(uint32_t left, uint32_t right) const;
  std::vector<WordToken> characters(std::string_view word) const;
  bool add_fallback_bytes(std::string_view character, uint32_t begin, std::vector<WordToken>& tokens) const;
  /// skip: nullptr for none.
  std::vector<WordToken> merged(std::vector<WordToken> tokens, Skip* skip) const;

  std::unordered_map<uint64_t, Merge> merges_;  // by left id << 32 | right id
  std::string unknown_token_;                   // empty: characters without a token vanish
  std::optional<uint32_t> unknown_;
  std::string word_end_;  // CLIP's "</w>", part of each word's last character
  bool fuse_unknown_ = false, byte_fallback_ = false, ignore_merges_ = false;
  std::array<std::optional<uint32_t>, 256> fallback_bytes_;
  static constexpr size_t kShards = 16;
  mutable std::array<Shard, kShards> cache_;
};

}  // namespace hijack::tokenizer
