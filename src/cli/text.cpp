#include "src/cli/text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "src/base/unicode.h"
#include "src/experiment/report/values/clusters.h"

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

std::string wrapped(const std::string& text, size_t width, size_t indent, size_t used) {
  const std::string next_line = "\n" + std::string(indent, ' ');
  std::string result;
  bool begins = true;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find_first_of(" \n", at), text.size());
    const std::string word = text.substr(at, end - at);
    const size_t length = columns(word);
    if (!begins && used + 1 + length > width) {
      result += next_line;
      used = indent;
      begins = true;
    }
    result += (begins ? "" : " ") + word;
    used += length + (begins ? 0 : 1);
    begins = false;
    if (end < text.size() && text[end] == '\n') {
      result += next_line;
      used = indent;
      begins = true;
    }
    at = end + 1;
  }
  return result;
}

std::string item_text(const std::string& name, const std::string& text, size_t width, size_t column) {
  constexpr size_t kLeast = 40;  // columns for the text beside its name
  const std::string head = "  " + wrapped(name, width, 4, 2);
  if (text.empty()) return head + "\n";
  const bool wide = column + kLeast <= width;
  const size_t indent = wide ? column : 6;
  const size_t taken = columns(head);
  const bool beside = wide && taken + 2 <= column;
  return head + (beside ? "" : "\n") + std::string(beside ? column - taken : indent, ' ') +
         wrapped(text, width, indent, indent) + "\n";
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

std::string rate_text(int64_t successes, int64_t n, int64_t draws) {
  if (n == 0) return "–";
  const Cluster replies{"", 0, successes, n, draws};
  const Interval interval = cluster_interval({&replies, 1});
  char text[64];
  std::snprintf(text, sizeof text, "%.0f %% [%.0f–%.0f]",
                100.0 * static_cast<double>(successes) / static_cast<double>(n), 100 * interval.low,
                100 * interval.high);
  return text;
}

std::string fixed(double value, int decimals) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(decimals) << value;
  return text.str();
}

std::string significant(double value, int digits) {
  std::ostringstream text;
  text << std::setprecision(digits) << value;
  return text.str();
}

}  // namespace hijack::cli
