#include "src/base/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <new>

#include "src/base/newer_characters.h"

namespace hijack::unicode {
namespace {

struct Lead {
  size_t length;            // of the whole sequence, 0 for a byte that starts none
  unsigned char low, high;  // what the second byte may be
};

Lead lead(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte >= 0xC2 && byte <= 0xDF) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

unsigned char byte_at(std::string_view text, size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// The general category, as two letters.
std::string_view category(char32_t c) {
  const std::string_view newer = newer_category(c);
  return newer.empty() ? utf8proc_category_string(static_cast<utf8proc_int32_t>(c)) : newer;
}

}  // namespace

CodePoint decode(std::string_view text, size_t at) {
  utf8proc_int32_t value = 0;
  const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                                       static_cast<utf8proc_ssize_t>(text.size() - at), &value);
  if (length <= 0) return {byte_at(text, at), 1};
  return {static_cast<char32_t>(value), static_cast<size_t>(length)};
}

CodePoint decode_last(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && !starts_character(text[at])) --at;
  return decode(text, at);
}

void append(std::string& text, char32_t c) {
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
  text.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
}

size_t count(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

size_t sequence_length(std::string_view text, size_t at, size_t* ill_formed) {
  const Lead start = lead(byte_at(text, at));
  *ill_formed = 1;
  if (start.length <= 1) return start.length;
  for (size_t i = 1; i < start.length; ++i) {
    const unsigned char low = i == 1 ? start.low : 0x80, high = i == 1 ? start.high : 0xBF;
    if (at + i >= text.size() || byte_at(text, at + i) < low || byte_at(text, at + i) > high) {
      *ill_formed = i;
      return 0;
    }
  }
  return start.length;
}

std::string lossy(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (size_t at = 0, bad = 0; at < text.size();) {
    const size_t length = sequence_length(text, at, &bad);
    clean += length > 0 ? text.substr(at, length) : kReplacement;
    at += length > 0 ? length : bad;
  }
  return clean;
}

bool is_well_formed(std::string_view text) {
  for (size_t at = 0, bad = 0; at < text.size();) {
    const size_t length = sequence_length(text, at, &bad);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string excerpt(std::string_view text) {
  constexpr size_t kLongest = 80;
  if (text.size() <= kLongest) return lossy(text);
  size_t end = kLongest;
  while (end > 0 && !starts_character(text[end])) --end;
  return lossy(text.substr(0, end)) + "...";
}

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_word(char32_t c) {
  const std::string_view kind = category(c);
  if (kind[0] == 'L' || kind[0] == 'M' || kind == "Nl" || kind == "Nd" || kind == "Pc") return true;
  // Join_Control, and the circled and squared letters, which are Alphabetic though symbols
  return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
         (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

bool is_numeric(char32_t c) {
  const bool unicode_17 = (c >= 0x11DE0 && c <= 0x11DE9) || (c >= 0x16FF4 && c <= 0x16FF6);
  return unicode_17 || category(c)[0] == 'N';
}

bool extends_segment(char32_t c) {
  if (c < 0x300 || is_unknown_to_nfc(c)) return false;
  if (c >= 0x1100 && c <= 0x11FF) return true;  // Hangul jamo
  return category(c)[0] == 'M' ||
         utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class != 0;
}

bool is_cased(char32_t c) {
  const std::string_view kind = category(c);
  return kind == "Lu" || kind == "Ll" || kind == "Lt";
}

bool is_printable(char32_t c) {
  const std::string_view kind = category(c);
  return c == ' ' || (kind[0] != 'C' && kind[0] != 'Z');
}

void append_upper(std::string& text, char32_t c) {
  if (c == 0xDF) {
    text += "SS";
    return;
  }
  append(text, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
}

void append_lower(std::string& text, char32_t c) {
  append(text, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

namespace {

std::string normalized(std::string_view text, int form) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | form));
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owner(mapped, std::free);
  if (length < 0) throw std::bad_alloc();  // the text is well-formed: nothing else can fail
  return {reinterpret_cast<const char*>(mapped), static_cast<size_t>(length)};
}

}  // namespace

std::string nfc(std::string_view text) {
  return normalized(text, UTF8PROC_COMPOSE);
}

std::string nfd(std::string_view text) {
  return normalized(text, UTF8PROC_DECOMPOSE);
}

bool is_other(char32_t c) {
  const std::string_view kind = category(c);
  return (kind == "Cc" || kind == "Cf" || kind == "Co") && !is_newer_than_unicode_8(c);
}

bool is_nonspacing_mark(char32_t c) {
  if (c == 0x1734) return true;  // no longer
  return category(c) == "Mn" && !is_newer_than_unicode_8(c);
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) return std::ispunct(static_cast<int>(c)) != 0;
  if (c == 0x166D || c == 0x111C9) return true;  // no longer
  return category(c)[0] == 'P' && !is_newer_than_unicode_8(c);
}

void append_lowercase(std::string& text, char32_t c) {
  if (c == 0x130) {  // an i with its dot
    text += "i\xCC\x87";
    return;
  }
  const char32_t newer = newer_lowercase(c);
  newer != 0 ? append(text, newer) : append_lower(text, c);
}

}  // namespace hijack::unicode
