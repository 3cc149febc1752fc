#include "attacks/behaviors/text.h"

#include <cctype>

#include "src/base/unicode.h"

namespace hijack {
namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";
constexpr char32_t kTypographicApostrophe = 0x2019;

/// Letters of scripts that write words without spaces between them: Thai to Khmer, kana, ideographs.
bool stands_alone(char32_t c) {
  return (c >= 0x0E00 && c < 0x0F00) || (c >= 0x1000 && c < 0x10A0) || (c >= 0x1780 && c < 0x1800) ||
         (c >= 0x3040 && c < 0xA000) || (c >= 0xF900 && c < 0xFB00) || (c >= 0x20000 && c < 0x40000);
}

/// Whether a character makes one word with the letters beside it.
bool joins(char32_t c) {
  return unicode::is_word(c) && !stands_alone(c);
}

bool is_apostrophe(char32_t c) {
  return c == '\'' || c == kTypographicApostrophe;
}

/// Whether a word goes on at the beginning of `rest`.
bool goes_on(std::string_view rest) {
  if (rest.empty()) return false;
  const auto [first, length] = unicode::decode(rest, 0);
  if (!is_apostrophe(first)) return joins(first);
  return length < rest.size() && joins(unicode::decode(rest, length).value);
}

/// Whether a word that ends where `before` ends would go on behind it.
bool comes_from(std::string_view before) {
  if (before.empty()) return false;
  const auto [last, length] = unicode::decode_last(before);
  if (!is_apostrophe(last)) return joins(last);
  return length < before.size() &&
         joins(unicode::decode_last(before.substr(0, before.size() - length)).value);
}

bool whole_words(std::string_view text, size_t at, size_t size) {
  const std::string_view part = text.substr(at, size);
  const bool begins = !joins(unicode::decode(part, 0).value) || !comes_from(text.substr(0, at));
  return begins && (!joins(unicode::decode_last(part).value) || !goes_on(text.substr(at + size)));
}

/// Of well-formed texts; npos = nowhere.
size_t find_words(const std::string& text, const std::string& part) {
  if (part.empty()) return std::string::npos;
  size_t at = text.find(part);
  while (at != std::string::npos && !whole_words(text, at, part.size())) at = text.find(part, at + 1);
  return at;
}

bool has_word(std::string_view text) {
  while (!text.empty()) {
    const auto [c, length] = unicode::decode(text, 0);
    if (unicode::is_word(c)) return true;
    text.remove_prefix(length);
  }
  return false;
}

}  // namespace

std::string fold(const std::string& text) {
  std::string result;
  for (const char c : text)
    if (kSpace.find(c) == std::string_view::npos)
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::string simplified(const std::string& text) {
  std::string result;
  for (const char c : strip(text)) {
    if (kSpace.find(c) == std::string_view::npos)
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (result.back() != ' ')
      result += ' ';
  }
  return result;
}

bool contains_words(const std::string& text, const std::string& part) {
  return find_words(unicode::lossy(text), unicode::lossy(part)) != std::string::npos;
}

bool contains_words_among_others(const std::string& text, const std::string& part) {
  const std::string whole = unicode::lossy(text), wanted = unicode::lossy(part);
  const size_t at = find_words(whole, wanted);
  return at != std::string::npos &&
         (has_word(whole.substr(0, at)) || has_word(whole.substr(at + wanted.size())));
}

bool begins_with_words(const std::string& text, const std::string& part) {
  const std::string whole = unicode::lossy(text), wanted = unicode::lossy(part);
  return find_words(whole, wanted) == 0 && has_word(whole.substr(wanted.size()));
}

std::string said(const Generated& reply) {
  std::string text = reply.text;
  while (reply.cut && text.ends_with(unicode::kReplacement))
    text.resize(text.size() - unicode::kReplacement.size());
  return text;
}

bool surely_differ(const Generated& one, const Generated& other) {
  const std::string first = fold(said(one)), second = fold(said(other));
  // a cut text stands for all texts that begin with it
  const bool one_covers = one.cut ? second.starts_with(first) : first == second;
  const bool other_covers = other.cut ? first.starts_with(second) : first == second;
  return !one_covers && !other_covers;
}

int64_t count_words(const std::string& text) {
  std::istringstream words(text);
  int64_t count = 0;
  for (std::string word; words >> word;) ++count;
  return count;
}

}  // namespace hijack
