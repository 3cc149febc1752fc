#include "attacks/behaviors/text.h"

#include <cctype>

namespace hijack {
namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";

}  // namespace

std::string strip(const std::string& text) {
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string fold(const std::string& text) {
  std::string result;
  for (const char c : text)
    if (kSpace.find(c) == std::string_view::npos)
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

int64_t count_words(const std::string& text) {
  std::istringstream words(text);
  int64_t count = 0;
  for (std::string word; words >> word;) ++count;
  return count;
}

}  // namespace hijack
