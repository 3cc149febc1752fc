#include "models/encoders/canonical_text.h"

#include <algorithm>
#include <iterator>

#include "src/base/unicode.h"

namespace hijack {
namespace {

constexpr char32_t kSigma = 0x3A3, kFinalSigma = 0x3C2;

/// Python's \s: White_Space and the separators of ASCII.
bool is_space(char32_t c) {
  return unicode::is_white_space(c) || (c >= 0x1C && c <= 0x1F) || c == 0x2581;
}

bool is_ascii_punctuation(char32_t c) {
  return (c >= 0x21 && c <= 0x2F) || (c >= 0x3A && c <= 0x40) || (c >= 0x5B && c <= 0x60) ||
         (c >= 0x7B && c <= 0x7E);
}

/// What may stand inside of a word, and does not count where its last letter is looked for: marks, and
/// punctuation such as the apostrophe.
bool is_case_ignorable(char32_t c) {
  constexpr char32_t kInside[] = {'\'',   '.',    ':',    '^',    '`',    0xA8,   0xAD,
                                  0xAF,   0xB4,   0xB7,   0xB8,   0x2B9,  0x387,  0x55F,
                                  0x5F4,  0x200B, 0x200C, 0x200D, 0x2018, 0x2019, 0x2024,
                                  0x2027, 0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};
  const bool format = c >= 0xA0 && c < 0xE000 && unicode::is_other(c);
  return unicode::is_nonspacing_mark(c) || format || c == 0xFEFF ||
         std::find(std::begin(kInside), std::end(kInside), c) != std::end(kInside);
}

/// Letters with a case, and the numbers and circled letters that have one.
bool has_case(char32_t c) {
  return unicode::is_cased(c) || (c >= 0x2160 && c <= 0x217F) || (c >= 0x24B6 && c <= 0x24E9);
}

/// Whether the next (or, backwards, the last) letter of `text` that counts has a case.
bool meets_cased(std::string_view text, bool backwards) {
  while (!text.empty()) {
    const auto c = backwards ? unicode::decode_last(text) : unicode::decode(text, 0);
    if (!is_case_ignorable(c.value)) return has_case(c.value);
    backwards ? text.remove_suffix(c.length) : text.remove_prefix(c.length);
  }
  return false;
}

}  // namespace

std::string canonical_text(std::string_view bytes, bool lower_case, bool marked) {
  const std::string text = unicode::lossy(bytes);
  const std::string_view all = text;
  std::string result = marked ? "\xE2\x96\x81" : "";
  bool space = false;
  for (size_t at = 0; at < all.size();) {
    const auto c = unicode::decode(all, at);
    const size_t end = at + c.length;
    if (is_space(c.value)) {
      space = true;
    } else if (!is_ascii_punctuation(c.value)) {
      if (space && !result.empty()) result += ' ';
      space = false;
      const bool final =
          c.value == kSigma && meets_cased(all.substr(0, at), true) && !meets_cased(all.substr(end), false);
      if (!lower_case)
        unicode::append(result, c.value);
      else if (final)
        unicode::append(result, kFinalSigma);
      else
        unicode::append_lowercase(result, c.value);
    }
    at = end;
  }
  return result;
}

}  // namespace hijack
