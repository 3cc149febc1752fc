#include "src/cli/text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "src/base/unicode.h"
#include "src/experiment/report/statistics.h"

namespace hijack::cli {
namespace {

size_t columns(const std::string& text) {
  return unicode::count(text);
}

}  // namespace

std::string printable(const std::string& text, size_t longest) {
  std::string shown;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (shown.size() >= longest && unicode::starts_character(text[i])) return shown + "…";
    // C1 controls in UTF-8 are C2 80 .. C2 9F: some terminals obey them.
    const bool c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1) ++i;
    if (byte == '\n' || byte == '\t' || byte == '\r')
      shown += ' ';
    else
      shown += byte < 0x20 || byte == 0x7F || c1 ? '?' : text[i];
  }
  return shown;
}

std::string shell_word(const std::string& word) {
  const std::string plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+%@";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

namespace {

/// Of a table that is too wide: a block for each row.
std::string blocks_text(const std::vector<std::vector<std::string>>& rows) {
  size_t name_width = 0;
  for (const std::string& name : rows[0]) name_width = std::max(name_width, columns(name));
  std::string text;
  for (size_t r = 1; r < rows.size(); ++r) {
    text += rows[r][0] + "\n";
    for (size_t i = 1; i < rows[r].size(); ++i)
      text += "  " + rows[0][i] + std::string(name_width - columns(rows[0][i]) + 2, ' ') + rows[r][i] + "\n";
  }
  return text;
}

}  // namespace

size_t output_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : SIZE_MAX;
}

std::string table_text(const std::vector<std::vector<std::string>>& rows, size_t width) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  size_t needed = 2 * (widths.size() - 1);
  for (const size_t one : widths) needed += one;
  if (needed > width) return blocks_text(rows);
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t i = 0; i < rows[r].size(); ++i) {
      text += rows[r][i];
      if (i + 1 < rows[r].size()) text += std::string(widths[i] - columns(rows[r][i]) + 2, ' ');
    }
    text += "\n";
    if (r > 0) continue;
    for (size_t i = 0; i < widths.size(); ++i)
      text += std::string(widths[i], '-') + (i + 1 < widths.size() ? "  " : "\n");
  }
  return text;
}

std::string rate_text(int64_t successes, int64_t n) {
  if (n == 0) return "–";
  const Interval interval = wilson_interval(successes, n);
  char text[64];
  std::snprintf(text, sizeof text, "%.0f %% [%.0f–%.0f]",
                100.0 * static_cast<double>(successes) / static_cast<double>(n), 100 * interval.low,
                100 * interval.high);
  return text;
}

}  // namespace hijack::cli
