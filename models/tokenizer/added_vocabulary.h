#pragma once
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "models/tokenizer/normalizer.h"
#include "models/tokenizer/word_model.h"

namespace hijack::tokenizer {

struct AddedToken {
  uint32_t id = 0;
  std::string content;
  std::string normalized_content;  ///< what a normalized token matches, and what the decoder gets
  bool single_word = false, lstrip = false, rstrip = false, normalized = true, special = false;
};

/// Finds the leftmost-longest of many strings.
class TokenFinder {
 public:
  TokenFinder();
  /// false when the string is empty or known already.
  bool add(std::string_view text, uint32_t id);
  struct Found {
    size_t begin, end;
    uint32_t id;
  };
  /// The first occurrence at or after `start`; of several that begin there, the longest.
  std::optional<Found> find(std::string_view text, size_t start) const;
  bool empty() const { return ids_.size() == 1; }

 private:
  std::array<bool, 256> starts_{};
  std::unordered_map<uint64_t, uint32_t> edges_;  // node << 8 | byte
  std::vector<std::optional<uint32_t>> ids_;      // by node; node 0 is the root
};

/// Tokens beside the model's vocabulary: found in the text before anything else sees it.
class AddedVocabulary {
 public:
  /// Throws Error naming the place for duplicates and for ids that the tokenizers package would not give.
  AddedVocabulary(const nlohmann::json& tokens, const WordModel& model, const Normalizer& normalizer,
                  const std::string& where);

  /// Splits off added tokens: those that are not normalized from the text as it is, the others from what the
  /// normalizer makes of the rest.
  Pieces extract(std::string_view text, const Normalizer& normalizer) const;

  const AddedToken* find(uint32_t id) const;
  std::optional<uint32_t> id_of(std::string_view content) const;
  bool is_special(std::string_view content) const { return special_.contains(std::string(content)); }
  bool empty() const { return tokens_.empty(); }
  uint32_t highest_id() const { return tokens_.empty() ? 0 : tokens_.rbegin()->first; }

 private:
  void add(AddedToken token, const Normalizer& normalizer, const std::string& where);
  std::vector<Piece> cut(const AlignedText& text, const TokenFinder& finder) const;

  std::map<uint32_t, AddedToken> tokens_;
  Vocabulary ids_;
  std::unordered_set<std::string> special_;
  TokenFinder plain_, normalized_;
};

}  // namespace hijack::tokenizer
