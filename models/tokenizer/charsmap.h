#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/aligned_text.h"

namespace hijack::tokenizer {

/// The rules by which sentencepiece rewrites text, as it compiles them: a number of bytes (uint32, little
/// endian), a trie of so many bytes as a double array (darts-clone), and the texts that the trie's values
/// point into, each up to a NUL. The "Precompiled" normalizer of tokenizer.json. Immutable.
class Charsmap {
 public:
  /// bytes: what is in base64 in tokenizer.json. Throws Error naming `where` for bytes that are too short, a
  /// trie without units, and texts that are not UTF-8. Places that lead out of the trie or the texts are an
  /// Error when a text comes to them.
  Charsmap(std::string_view bytes, std::string where);

  /// Rewrites as the package does: a grapheme of less than six bytes by the rule of its shortest beginning
  /// that has one, else each character so.
  void normalize(AlignedText& text) const;
  /// Rewrites as sentencepiece does: from left to right, by the longest rule that begins there.
  void normalize_by_longest(AlignedText& text) const;

 private:
  struct Rule {
    size_t length = 0;  // bytes of the text that it is about
    std::string_view text;
  };
  enum class Which { kShortest, kLongest };
  std::optional<Rule> rule(std::string_view chunk, Which which) const;
  uint32_t unit(uint32_t place) const;
  std::string_view text_at(uint32_t place) const;
  [[noreturn]] void damaged() const;

  std::string where_;
  std::vector<uint32_t> units_;
  std::string texts_;
};

}  // namespace hijack::tokenizer
