#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hijack {

/// A CSV file with a line of column names, as RFC 4180 has it: a field in double quotes may hold commas, line
/// breaks and, doubled, quotes. White space belongs to a field; empty lines are skipped; a byte order mark is
/// dropped.
struct CsvTable {
  struct Row {
    size_t line = 0;  ///< where it begins, from 1
    std::vector<std::string> fields;
  };
  std::vector<std::string> columns;
  std::vector<Row> rows;

  /// The place of a column; names are compared without case.
  std::optional<size_t> column(std::string_view name) const;
};

/// Throws Error with file and line for an open quote, text after a closing one, a row with more or fewer
/// fields than columns, ill-formed UTF-8, a NUL byte, a field over 64 KiB, more than 64 columns or 200000
/// rows; and for a file of more than 64 MiB or without column names.
CsvTable read_csv(const std::filesystem::path& file);
CsvTable parse_csv(std::string_view text, const std::string& where);

}  // namespace hijack
