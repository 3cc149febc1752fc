#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace hijack::cli {

/// Text from a model or a file, safe to show on a terminal: control characters become '?', line breaks
/// spaces; cut at `longest` bytes with "…".
std::string printable(const std::string& text, size_t longest = 160);

/// A word as a shell takes it: quoted where it must be.
std::string shell_word(const std::string& word);

/// Rows as columns of equal width, the first row underlined. Widths count code points. Where that is wider
/// than `width` columns, each row is a block instead: its first cell, then its other cells line by line with
/// the names of their columns.
std::string table_text(const std::vector<std::vector<std::string>>& rows, size_t width = SIZE_MAX);

/// Broken between words so that no line is wider than `width` columns (a longer word stands alone); lines
/// after the first begin with `indent` spaces, the first has `used` columns before it. Its own line breaks
/// stay.
std::string wrapped(const std::string& text, size_t width, size_t indent, size_t used = 0);

/// An entry of a list: "  name", and the text beginning in `column`; below the name where that is too long or
/// the width too small. Both are wrapped.
std::string item_text(const std::string& name, const std::string& text, size_t width, size_t column);

/// Columns of the terminal that standard output goes to; SIZE_MAX for a file or a pipe.
size_t output_width();

/// "66 % [52–78]" of successes out of n with the Wilson interval; "–" for n = 0. draws: replies to each
/// question, which n counts.
std::string rate_text(int64_t successes, int64_t n, int64_t draws = 1);

/// With so many decimals: "0.50".
std::string fixed(double value, int decimals);
/// With so many significant digits at most: "0.5", "1.2e-06".
std::string significant(double value, int digits);

}  // namespace hijack::cli
