#pragma once
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "src/experiment/report/values/rate.h"

// One table, three ways: on the page, and as the CSV and LaTeX files that lie beside it there.

namespace hijack::report {

/// One of the CSV fields that a cell becomes: {"low", "0.35"} of "Exact success" is the column
/// "Exact success low".
struct CsvField {
  std::string name;  ///< "" = that of the column
  std::string value;
};

/// All text is plain; the writers escape it.
struct Cell {
  std::string text;
  std::vector<std::string> notes = {};  ///< on lines of their own below it, smaller
  std::string markup = {};              ///< instead of `text` on the page; already escaped
  std::string paper = {};               ///< instead of text and notes in LaTeX
  double number = std::numeric_limits<double>::quiet_NaN();  ///< what the column is sorted by
  std::vector<CsvField> fields = {};                         ///< empty: the number, else the text
};
/// "97%" above "58/60 · 90–99%" and the seeds that disagree; "–" without replies.
Cell rate_cell(const Rate& rate);
/// As decimal() prints it.
Cell number_cell(double value);
/// As percent() prints it.
Cell percent_cell(double rate);

struct ReportTable {
  std::string name;  ///< of the files: "settings"
  std::vector<std::string> head;
  /// The first columns, which say what a row is about. On narrow screens they stand in the first one, which
  /// stays in sight with the column after them.
  size_t keys = 1;
  std::vector<std::vector<Cell>> rows = {};
  std::string caption = {};
  std::string css = "rates";  ///< "replies" for columns of long text
  bool filter = false;        ///< with a field to filter rows by
  /// On the page only the first `shown` rows; the others one click away, under "N more <rest>".
  size_t shown = SIZE_MAX;
  std::string rest = "rows";
};

/// Scrolls inside its own container where the screen is too narrow. Links to both files below it.
std::string html_table(const ReportTable& table);
/// Some of its rows, without caption and links.
std::string html_rows(const ReportTable& table, size_t from, size_t to);
/// The links alone: "CSV · LaTeX", with the files inside them.
std::string file_links(const ReportTable& table);

/// A line of column names, then one line for each row.
std::string csv_table(const ReportTable& table);
/// A table of booktabs; one that is too long for a page of longtable.
std::string latex_table(const ReportTable& table);
/// clean_text, safe in the text and the table cells of LaTeX; line breaks become spaces.
std::string latex(std::string_view text, size_t limit = 4000);

/// html() with places to break before the end of the line: after : , + _ of long names, never within
/// "quality=90".
std::string breakable(std::string_view text, size_t limit = 4000);

}  // namespace hijack::report
