#include "src/experiment/report/page/table.h"

#include <cmath>

#include "src/base/sha256.h"
#include "src/base/unicode.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

/// The parts of "58/60 · 90–99%" do not break.
std::string small_line(const std::string& note) {
  constexpr std::string_view kDot = " · ";
  std::string out = "<small>";
  for (size_t from = 0;;) {
    const size_t to = note.find(kDot, from);
    const std::string part = note.substr(from, to - from);
    const bool atom = part.size() < 16 && (from > 0 || to != std::string::npos);
    out += atom ? "<span>" + html(part) + "</span>" : breakable(part);
    if (to == std::string::npos) return out + "</small>";
    out += kDot;
    from = to + kDot.size();
  }
}

std::string content(const Cell& cell) {
  std::string out = cell.markup.empty() ? breakable(cell.text) : cell.markup;
  for (const std::string& note : cell.notes) out += small_line(note);
  return out;
}

/// What the other key columns say, for screens that have no room for them.
std::string other_keys(const ReportTable& table, const std::vector<Cell>& row) {
  std::string out;
  for (size_t i = 1; i < std::min(table.keys, row.size()); ++i) {
    if (row[i].text.empty()) continue;
    // a bare "no" or "60" says nothing without the name of its column
    const bool bare = row[i].text.size() < 6;
    out += small_line((bare ? table.head[i] + " " : "") + row[i].text);
  }
  return out.empty() ? "" : "<span class=\"also\">" + out + "</span>";
}

std::string column_class(const ReportTable& table, size_t column) {
  if (column > 0 && column < table.keys) return " class=\"key\"";
  return column == table.keys ? " class=\"main\"" : "";
}

std::string html_row(const ReportTable& table, const std::vector<Cell>& row) {
  std::string out = "<tr>";
  for (size_t i = 0; i < row.size(); ++i) {
    const std::string sort =
        std::isfinite(row[i].number) ? " data-sort=\"" + exact_number(row[i].number) + '"' : "";
    out += i ? "<td" + column_class(table, i) + " data-label=\"" + html(table.head[i]) + '"' + sort + '>' +
                   content(row[i]) + "</td>"
             : "<th scope=\"row\"" + sort + '>' + content(row[i]) + other_keys(table, row) + "</th>";
  }
  return out + "</tr>\n";
}

/// Columns of long text, one reply below the other: nothing to sort by.
bool is_text(const ReportTable& table) {
  return table.css.starts_with("replies");
}

/// Opened by the page's script, which is what it is good for.
constexpr const char* kFilter =
    "<div class=\"filter\" hidden><label>Filter <input type=\"search\" placeholder=\"words of a row\" "
    "autocomplete=\"off\"></label> <output></output></div>";

}  // namespace

Cell rate_cell(const Rate& rate) {
  if (!rate.n) return {"–"};
  const Interval interval = rate.interval();
  Cell cell{percent(rate.value())};
  cell.markup = "<b class=\"rate\">" + html(cell.text) + "</b>";
  cell.notes = {std::to_string(rate.successes) + "/" + std::to_string(rate.n) + " · " + percent(interval)};
  if (const std::string parts = disagreement(rate); !parts.empty()) cell.notes.push_back(parts);
  cell.paper = shown(rate);
  cell.number = rate.value();
  cell.fields = {{"", exact_number(rate.value())},
                 {"low", exact_number(interval.low)},
                 {"high", exact_number(interval.high)},
                 {"successes", std::to_string(rate.successes)},
                 {"n", std::to_string(rate.n)}};
  return cell;
}

Cell number_cell(double value) {
  Cell cell{decimal(value)};
  cell.number = value;
  return cell;
}

Cell percent_cell(double rate) {
  Cell cell{percent(rate)};
  cell.number = rate;
  return cell;
}

std::string breakable(std::string_view text, size_t limit) {
  constexpr size_t kShort = 18, kLongestRun = 28;
  const std::string clean = clean_text(text, limit);
  std::string out, piece;
  size_t run = 0, word = 0;  // since the last place to break; of the whole word
  for (size_t at = 0; at < clean.size(); ++at) {
    if (at == 0 || clean[at - 1] == ' ') word = std::min(clean.find(' ', at), clean.size()) - at;
    piece += clean[at];
    const bool inside = at + 1 < clean.size() && !unicode::starts_character(clean[at + 1]);
    if (inside) continue;  // of a character of several bytes
    run = clean[at] == ' ' || clean[at] == '\n' ? 0 : run + 1;
    const bool joint = word > kShort && std::string_view(":,+_").find(clean[at]) != std::string_view::npos;
    if (!joint && run < kLongestRun) continue;
    out += html(piece, SIZE_MAX) + "<wbr>";
    piece.clear();
    run = 0;
  }
  return out + html(piece, SIZE_MAX);
}

std::string file_links(const ReportTable& table) {
  const auto link = [&](const char* ending, const char* name, const char* type, const std::string& file) {
    return "<a download=\"" + html(table.name) + "." + ending + "\" href=\"data:" + type +
           ";charset=utf-8;base64," + base64(file) + "\">" + name + "</a>";
  };
  return "<p class=\"files\">" + html(table.name) + ": " + link("csv", "CSV", "text/csv", csv_table(table)) +
         " · " + link("tex", "LaTeX", "application/x-tex", latex_table(table)) + "</p>";
}

std::string html_rows(const ReportTable& table, size_t from, size_t to) {
  const bool sortable = !is_text(table) && table.rows.size() > 1;
  std::string out =
      "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Table: " + html(table.name) +
      "\"><table class=\"" + table.css + (sortable ? " sortable" : "") + "\"><thead><tr>";
  for (size_t i = 0; i < table.head.size(); ++i)
    out += "<th scope=\"col\"" + column_class(table, i) + '>' + breakable(table.head[i]) + "</th>";
  out += "</tr></thead><tbody>";
  for (size_t i = from; i < to; ++i) out += html_row(table, table.rows[i]);
  return out + "</tbody></table></div>";
}

std::string html_table(const ReportTable& table) {
  const size_t first = std::min(table.shown, table.rows.size());
  const bool likely = !is_text(table) && table.head.size() > table.keys + 2;  // on a phone
  std::string out = "<figure class=\"table\">" + std::string(table.filter ? kFilter : "") +
                    "<p class=\"hint" + (likely ? " likely" : "") + "\">More columns to the right →</p>" +
                    html_rows(table, 0, first);
  if (first < table.rows.size())
    out += "<details><summary>" + std::to_string(table.rows.size() - first) + " more " + html(table.rest) +
           "</summary>" + html_rows(table, first, table.rows.size()) + "</details>";
  return out + "<figcaption>" + html(table.caption) + "</figcaption>" + file_links(table) + "</figure>\n";
}

}  // namespace hijack::report
