#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Texts as Python's str treats them, in UTF-8.
namespace hijack::jinja {

bool is_space(char32_t c);  ///< str.isspace
/// Bytes of white space at the beginning.
size_t leading_space(std::string_view text);
std::string_view without_space_at_end(std::string_view text);

/// str.strip: of white space, or of the characters of `characters`.
std::string stripped(std::string_view text, const std::optional<std::string>& characters, bool left,
                     bool right);
std::string uppercase(std::string_view text);
std::string lowercase(std::string_view text);
std::string capitalized(std::string_view text);  ///< str.capitalize
/// str.split; most < 0: all. Without separator: at white space.
std::vector<std::string> split(std::string_view text, const std::optional<std::string>& separator,
                               int64_t most);
std::vector<std::string> split_lines(std::string_view text);  ///< str.splitlines
std::string replaced(std::string_view text, std::string_view from, std::string_view to, int64_t most);
/// str.title; at_words: Jinja's filter `title`, which begins words after white space and brackets only.
std::string titled(std::string_view text, bool at_words);
/// text[from:to:step] in characters that are already in range.
std::vector<std::string_view> characters_of(std::string_view text);

}  // namespace hijack::jinja
