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

/// Columns of the terminal that standard output goes to; SIZE_MAX for a file or a pipe.
size_t output_width();

/// "66 % [52–78]" of successes out of n with the Wilson interval; "–" for n = 0.
std::string rate_text(int64_t successes, int64_t n);

}  // namespace hijack::cli
