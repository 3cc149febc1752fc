#include "models/chat_template/jinja/texts.h"

#include "src/base/unicode.h"

namespace hijack::jinja {
namespace {

bool ends_line(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

template <typename Change>
std::string changed(std::string_view text, const Change& change) {
  std::string made;
  for (size_t at = 0; at < text.size();) {
    const auto [c, length] = unicode::decode(text, at);
    change(made, c);
    at += length;
  }
  return made;
}

}  // namespace

bool is_space(char32_t c) {
  return unicode::is_white_space(c) || (c >= 0x1C && c <= 0x1F);
}

size_t leading_space(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto [c, length] = unicode::decode(text, at);
    if (!is_space(c)) break;
    at += length;
  }
  return at;
}

std::string_view without_space_at_end(std::string_view text) {
  while (!text.empty()) {
    const auto [c, length] = unicode::decode_last(text);
    if (!is_space(c)) break;
    text.remove_suffix(length);
  }
  return text;
}

std::string stripped(std::string_view text, const std::optional<std::string>& characters, bool left,
                     bool right) {
  const auto goes = [&](std::string_view one) {
    return characters ? characters->find(one) != characters->npos : is_space(unicode::decode(one, 0).value);
  };
  while (left && !text.empty()) {
    const size_t length = unicode::decode(text, 0).length;
    if (!goes(text.substr(0, length))) break;
    text.remove_prefix(length);
  }
  while (right && !text.empty()) {
    const size_t length = unicode::decode_last(text).length;
    if (!goes(text.substr(text.size() - length))) break;
    text.remove_suffix(length);
  }
  return std::string(text);
}

std::string uppercase(std::string_view text) {
  return changed(text, [](std::string& made, char32_t c) { unicode::append_upper(made, c); });
}

std::string lowercase(std::string_view text) {
  return changed(text, [](std::string& made, char32_t c) { unicode::append_lower(made, c); });
}

std::string capitalized(std::string_view text) {
  if (text.empty()) return "";
  const size_t length = unicode::decode(text, 0).length;
  return uppercase(text.substr(0, length)) + lowercase(text.substr(length));
}

std::string titled(std::string_view text, bool at_words) {
  bool begins = true;
  return changed(text, [&](std::string& made, char32_t c) {
    begins ? unicode::append_upper(made, c) : unicode::append_lower(made, c);
    begins = at_words ? is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<'
                      : !unicode::is_cased(c);
  });
}

std::vector<std::string> split(std::string_view text, const std::optional<std::string>& separator,
                               int64_t most) {
  std::vector<std::string> parts;
  const auto full = [&] { return most >= 0 && static_cast<int64_t>(parts.size()) >= most; };
  if (separator) {
    for (size_t end = text.find(*separator); end != text.npos && !full(); end = text.find(*separator)) {
      parts.emplace_back(text.substr(0, end));
      text.remove_prefix(end + separator->size());
    }
    parts.emplace_back(text);
    return parts;
  }
  text.remove_prefix(leading_space(text));
  while (!text.empty() && !full()) {
    size_t end = 0;
    while (end < text.size()) {
      const auto [c, length] = unicode::decode(text, end);
      if (is_space(c)) break;
      end += length;
    }
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(leading_space(text));
  }
  if (!text.empty()) parts.emplace_back(text);
  return parts;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    size_t end = 0, length = 0;
    while (end < text.size()) {
      const auto point = unicode::decode(text, end);
      if (ends_line(point.value)) {
        length = text.substr(end).starts_with("\r\n") ? 2 : point.length;
        break;
      }
      end += point.length;
    }
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + length);
  }
  return lines;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to, int64_t most) {
  std::string made;
  const auto full = [&] { return most >= 0 && most-- == 0; };
  if (from.empty()) {
    for (const std::string_view one : characters_of(text)) {
      if (full()) {
        made += text.substr(static_cast<size_t>(one.data() - text.data()));
        return made;
      }
      made += to;
      made += one;
    }
    if (!full()) made += to;
    return made;
  }
  for (size_t end = text.find(from); end != text.npos && !full(); end = text.find(from)) {
    made += text.substr(0, end);
    made += to;
    text.remove_prefix(end + from.size());
  }
  return made += text;
}

std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> made;
  for (size_t at = 0; at < text.size(); at += made.back().size())
    made.push_back(text.substr(at, unicode::decode(text, at).length));
  return made;
}

}  // namespace hijack::jinja
