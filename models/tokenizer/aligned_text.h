#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer.h"
#include "models/tokenizer/pattern.h"

namespace hijack::tokenizer {

/// Longest text that is normalized or decoded, in bytes: also the end of texts that a hostile Replace blows
/// up.
inline constexpr size_t kLongestText = size_t{16} << 20;

/// Throws Error for more than that.
void check_length(size_t bytes);

/// A range of bytes of the text that the user gave.
struct SourceRange {
  uint32_t begin = 0, end = 0;
};

/// Text under normalization: well-formed UTF-8 that knows, for each of its bytes, where it came from.
struct AlignedText {
  std::string text;
  std::vector<SourceRange> source;  ///< one per byte of text
  uint32_t origin = 0;              ///< where this slice starts in the user's text

  /// Ill-formed UTF-8 becomes U+FFFD. Throws Error when the text is longer than 16 MiB.
  static AlignedText from_bytes(std::string_view bytes);

  AlignedText slice(size_t begin, size_t end) const;
  SourceRange source_of(size_t begin, size_t end) const;  ///< of text[begin, end)
  /// Puts `prefix` before a text that is not empty; it shares the source of the first character.
  void prepend(std::string_view prefix);
  void replace(const Pattern& pattern, std::string_view content);
  void normalize_nfc();
  void normalize_nfd();
  void normalize_nfkc();
  /// Takes White_Space away at the beginning, the end or both.
  void strip(bool left, bool right);
  /// Each character becomes what `write` appends for it, which may be nothing.
  void rewrite(void (*write)(std::string& text, char32_t character));

 private:
  void normalize_segments(std::string (*form)(std::string_view), bool compatible);
};

/// A part of the input: text still to be tokenized, or an added token that was found.
struct Piece {
  AlignedText text;
  std::optional<TokenId> token;
};
using Pieces = std::vector<Piece>;

enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// Cuts at `matches`, which cover the text (Pattern::cover), and leaves out empty parts.
std::vector<AlignedText> split(const AlignedText& text, std::span<const Match> matches,
                               SplitBehavior behavior);

}  // namespace hijack::tokenizer
