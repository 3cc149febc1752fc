#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Code points and the character classes that the `tokenizers` package uses (Rust's, not PCRE2's).
namespace hijack::unicode {

struct CodePoint {
  char32_t value;
  size_t length;  ///< bytes
};

/// The code point at text[at]; text must be well-formed UTF-8 and at < text.size().
CodePoint decode(std::string_view text, size_t at);
/// The last code point of text, which must be well-formed and not empty.
CodePoint decode_last(std::string_view text);
void append(std::string& text, char32_t code_point);
size_t count(std::string_view text);  ///< code points
/// Whether a byte of UTF-8 is the first of its character.
inline bool starts_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

/// Bytes of the well-formed sequence at text[at]; 0 when it is ill-formed, and then *ill_formed is the number
/// of bytes that one U+FFFD replaces (the "maximal subpart" of Unicode 3.9, as in Python and Rust).
size_t sequence_length(std::string_view text, size_t at, size_t* ill_formed);
/// text with every ill-formed sequence replaced by U+FFFD.
std::string lossy(std::string_view text);
bool is_well_formed(std::string_view text);

/// The beginning of any text, for a message: whole characters, at most 80 bytes.
std::string excerpt(std::string_view text);

bool is_white_space(char32_t c);   ///< property White_Space (Rust's \s and char::is_whitespace)
bool is_word(char32_t c);          ///< Rust's \w: Alphabetic, M, Nd, Pc, Join_Control
bool is_numeric(char32_t c);       ///< Nd, Nl, No
bool extends_segment(char32_t c);  ///< may combine with what is before it under NFC

bool is_cased(char32_t c);      ///< Lu, Ll, Lt
bool is_printable(char32_t c);  ///< Python's str.isprintable
/// The capital or small letter for c, or c itself, by the simple mappings and that of the German sharp s.
void append_upper(std::string& text, char32_t c);
void append_lower(std::string& text, char32_t c);

/// Unicode normalization form C of well-formed text, and form D.
std::string nfc(std::string_view text);
std::string nfd(std::string_view text);

// As BERT's parts of the package see characters: categories of Unicode 8, small letters of Unicode 17.
bool is_other(char32_t c);            ///< Cc, Cf, Co
bool is_nonspacing_mark(char32_t c);  ///< Mn
bool is_punctuation(char32_t c);      ///< P, and all of ASCII that is no letter, digit or space
void append_lowercase(std::string& text, char32_t c);

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace hijack::unicode
