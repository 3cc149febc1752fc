#include "src/base/text.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "src/base/unicode.h"

namespace hijack {
namespace {

template <class Character>
size_t distance_of(std::span<const Character> from, std::span<const Character> to) {
  std::vector<size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < from.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < to.size(); ++j) {
      const size_t replaced = diagonal + (from[i] != to[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

/// A byte outside of UTF-8 becomes a value that no code point has.
std::vector<char32_t> characters_of(std::string_view text) {
  constexpr char32_t kNoCharacter = 0x80000000u;
  std::vector<char32_t> characters;
  for (size_t at = 0, bad = 0; at < text.size();) {
    const size_t length = unicode::sequence_length(text, at, &bad);
    characters.push_back(length > 0 ? unicode::decode(text, at).value
                                    : kNoCharacter | static_cast<unsigned char>(text[at]));
    at += std::max<size_t>(length, 1);
  }
  return characters;
}

}  // namespace

std::string strip(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == text.npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

std::string filled_pattern(std::string_view pattern,
                           const std::vector<std::pair<std::string, std::string>>& places) {
  std::string out;
  for (size_t at = 0; at < pattern.size();) {
    const auto found = std::find_if(places.begin(), places.end(), [&](const auto& place) {
      return pattern.compare(at, place.first.size(), place.first) == 0;
    });
    if (found == places.end()) {
      out += pattern[at++];
    } else {
      out += found->second;
      at += found->first.size();
    }
  }
  return out;
}

std::string plain_name(std::string_view text, std::string_view also) {
  std::string name;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    name += plain || also.find(c) != also.npos ? c : '-';
  }
  return name;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  return distance_of<char>(a, b);
}

size_t edit_distance_in_characters(std::string_view a, std::string_view b) {
  return distance_of<char32_t>(characters_of(a), characters_of(b));
}

}  // namespace hijack
