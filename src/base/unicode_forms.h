#pragma once
#include <string>
#include <string_view>

// What normalizers of sentencepiece's kind know of characters: compatibility forms, and what a reader takes
// for one character.
namespace hijack::unicode {

/// Unicode normalization form KC of well-formed text.
std::string nfkc(std::string_view text);
/// May combine with what is before it under NFKC though not under NFC: halfwidth sound marks, letters of
/// Hangul.
bool extends_compatible_segment(char32_t c);
/// Characters that the tokenizers package's NFKC leaves as they are though Unicode 14 has another form.
bool is_unknown_to_nfkc(char32_t c);

/// The end of the extended grapheme cluster (UAX 29) that starts at `at`; text must be well-formed and at <
/// text.size().
size_t grapheme_end(std::string_view text, size_t at);

}  // namespace hijack::unicode
