#include "models/chat_template/jinja/literals.h"

#include <charconv>
#include <cstdint>

#include "src/base/unicode.h"

namespace hijack::jinja {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// (\d+_)*\d+ at text[at]: where it ends; `at` when there is none.
size_t digits_end(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && (is_digit(text[end]) || (end > at && text[end] == '_' && text[end - 1] != '_' &&
                                                       end + 1 < text.size() && is_digit(text[end + 1]))))
    ++end;
  return end;
}

std::string without_underscores(std::string_view text) {
  std::string made;
  for (const char c : text)
    if (c != '_') made += c;
  return made;
}

Literal number_at(std::string_view text, bool after_dot) {
  if (text.size() > 1 && text[0] == '0' && std::string_view("xXoObB").find(text[1]) != std::string_view::npos)
    return {.length = 2, .problem = "numbers that are not decimal are not supported"};
  const size_t whole = digits_end(text, 0);
  size_t end = whole;
  if (!after_dot) {
    if (end < text.size() && text[end] == '.')
      if (const size_t fraction = digits_end(text, end + 1); fraction > end + 1) end = fraction;
    if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
      const size_t sign = end + 1 < text.size() && (text[end + 1] == '+' || text[end + 1] == '-') ? 1 : 0;
      if (const size_t power = digits_end(text, end + 1 + sign); power > end + 1 + sign) end = power;
    }
  }
  return {.length = end,
          .type = end > whole ? TokenType::real : TokenType::whole,
          .text = without_underscores(text.substr(0, end))};
}

/// One escape of Python's "unicode_escape" after the backslash; bytes read, 0 when it is none.
size_t escape_at(std::string_view text, std::string& made, std::string& problem) {
  static constexpr std::string_view kNames = "\\'\"abfnrtv", kMeans = "\\'\"\a\b\f\n\r\t\v";
  const char c = text.front();
  if (c == '\n') return 1;
  if (const size_t found = kNames.find(c); found != kNames.npos) {
    made += kMeans[found];
    return 1;
  }
  const bool octal = c >= '0' && c <= '7';
  size_t first = octal ? 0 : 1, most = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : octal ? 3 : 0;
  if (most == 0) {
    if (c == 'N') problem = "\\N in a text is not supported";
    return 0;
  }
  uint32_t value = 0;
  const std::string_view digits = text.substr(first, most);
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, octal ? 8 : 16);
  const auto count = static_cast<size_t>(read.ptr - digits.data());
  if ((!octal && count < most) || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
    problem = "an escape in a text is not a character";
    return 0;
  }
  unicode::append(made, value);
  return first + count;
}

Literal string_at(std::string_view text) {
  Literal found{.length = 1, .type = TokenType::text};
  const char quote = text.front();
  while (found.length < text.size() && text[found.length] != quote) {
    if (text[found.length] == '\\' && found.length + 1 < text.size()) {
      const size_t read = escape_at(text.substr(found.length + 1), found.text, found.problem);
      if (!found.problem.empty()) return found;
      if (read > 0) {
        found.length += 1 + read;
        continue;
      }
    }
    found.text += text[found.length++];
  }
  if (found.length >= text.size()) found.problem = "a text has no closing quote";
  ++found.length;
  return found;
}

}  // namespace

Literal literal_at(std::string_view text, bool after_dot) {
  const char c = text.front();
  if (c == '\'' || c == '"') return string_at(text);
  if (is_digit(c)) return number_at(text, after_dot);
  Literal name;
  while (name.length < text.size()) {
    const auto [point, length] = unicode::decode(text, name.length);
    if (!unicode::is_word(point)) break;
    name.length += length;
  }
  name.text = std::string(text.substr(0, name.length));
  return name;
}

}  // namespace hijack::jinja
