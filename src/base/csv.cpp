#include "src/base/csv.h"

#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/unicode.h"

namespace hijack {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{64} << 20;
constexpr size_t kMaxFieldBytes = 64 << 10;
constexpr size_t kMaxColumns = 64;
constexpr size_t kMaxRows = 200'000;

class Reader {
 public:
  Reader(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  /// The next row that is not an empty line; nothing at the end.
  std::optional<CsvTable::Row> row() {
    while (at_ < text_.size()) {
      CsvTable::Row row{line_, {}};
      do {
        if (row.fields.size() == kMaxColumns) fail(row.line, "more than 64 columns");
        row.fields.push_back(field(row.line));
      } while (take(','));
      end_line(row.line);
      if (row.fields.size() > 1 || !row.fields[0].empty()) return row;
    }
    return {};
  }

  [[noreturn]] void fail(size_t line, const std::string& what) const {
    throw Error(where_ + ":" + std::to_string(line) + ": " + what + ".");
  }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void end_line(size_t line) {
    if (at_ >= text_.size()) return;
    const bool carriage = take('\r');
    if (!take('\n') && !(carriage || at_ >= text_.size()))
      fail(line, "text after the closing quote of a field; write a quote inside quotes twice");
    ++line_;
  }

  std::string field(size_t line) {
    const std::string value = take('"') ? quoted(line) : plain();
    if (value.size() > kMaxFieldBytes) fail(line, "a field is longer than 64 KiB");
    if (value.find('\0') != std::string::npos) fail(line, "a field holds a NUL byte");
    return value;
  }

  std::string plain() {
    const size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    std::string value(text_.substr(at_, end - at_));
    at_ = end;
    return value;
  }

  std::string quoted(size_t line) {
    std::string value;
    for (;;) {
      const size_t quote = text_.find('"', at_);
      if (quote == std::string_view::npos) fail(line, "a quote is opened here and never closed");
      value += text_.substr(at_, quote - at_);
      line_ += static_cast<size_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                              text_.begin() + static_cast<std::ptrdiff_t>(quote), '\n'));
      at_ = quote + 1;
      if (!take('"')) return value;
      value += '"';
    }
  }

  std::string_view text_;
  std::string where_;
  size_t at_ = 0;
  size_t line_ = 1;
};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

}  // namespace

std::optional<size_t> CsvTable::column(std::string_view name) const {
  for (size_t i = 0; i < columns.size(); ++i)
    if (lower(columns[i]) == lower(name)) return i;
  return {};
}

CsvTable parse_csv(std::string_view text, const std::string& where) {
  Reader reader(text, where);
  CsvTable table;
  auto header = reader.row();
  if (!header) throw Error(where + " is empty: its first line must name the columns.");
  table.columns = std::move(header->fields);
  while (auto row = reader.row()) {
    if (table.rows.size() == kMaxRows) reader.fail(row->line, "more than 200000 rows; split the file");
    if (row->fields.size() != table.columns.size())
      reader.fail(row->line, std::to_string(row->fields.size()) + " fields, but " +
                                 std::to_string(table.columns.size()) +
                                 " columns; put a field with commas into double quotes");
    for (const std::string& field : row->fields)
      if (!unicode::is_well_formed(field)) reader.fail(row->line, "not UTF-8");
    table.rows.push_back(std::move(*row));
  }
  return table;
}

CsvTable read_csv(const std::filesystem::path& file) {
  return parse_csv(read_file(file, kMaxFileBytes), file.string());
}

}  // namespace hijack
