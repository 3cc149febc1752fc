#include <cmath>

#include "src/base/unicode.h"
#include "src/experiment/report/page/table.h"
#include "src/experiment/report/values/text.h"

// The files beside a table.

namespace hijack::report {
namespace {

constexpr const char* kMissing = "–";

/// The CSV columns that a column of the table becomes, in order of appearance.
std::vector<std::string> field_names(const ReportTable& table, size_t column) {
  std::vector<std::string> names;
  for (const auto& row : table.rows)
    for (const CsvField& field : row[column].fields)
      if (std::find(names.begin(), names.end(), field.name) == names.end()) names.push_back(field.name);
  if (names.empty()) names.emplace_back();
  return names;
}

std::string csv_value(const Cell& cell, const std::string& name) {
  for (const CsvField& field : cell.fields)
    if (field.name == name) return field.value;
  if (!name.empty() || cell.text == kMissing) return "";
  if (std::isfinite(cell.number)) return exact_number(cell.number);
  std::string text = cell.text;
  for (const std::string& note : cell.notes) text += "; " + note;
  return csv(text);
}

/// Characters that LaTeX would not print as they are, and what does.
constexpr std::pair<std::string_view, const char*> kLatex[] = {
    {"\\", "\\textbackslash{}"},
    {"&", "\\&"},
    {"%", "\\%"},
    {"$", "\\$"},
    {"#", "\\#"},
    {"_", "\\_"},
    {"{", "\\{"},
    {"}", "\\}"},
    {"~", "\\textasciitilde{}"},
    {"<", "\\textless{}"},
    {">", "\\textgreater{}"},
    {"^", "\\textasciicircum{}"},
    {"|", "\\textbar{}"},
    {"\n", " "},
    {"\t", " "},
    // after \\ they would be its arguments, and some packages give quotes a meaning
    {"[", "{[}"},
    {"]", "{]}"},
    {"*", "{*}"},
    {"\"", "{''}"},
    {"`", "{`}"},
    {"–", "--"},
    {"—", "---"},
    {"−", "$-$"},
    {"±", "$\\pm$"},
    {"×", "$\\times$"},
    {"·", "$\\cdot$"},
    {"→", "$\\to$"},
    {"…", "\\ldots{}"},
    {"“", "``"},
    {"”", "''"},
    {"‘", "`"},
    {"’", "'"},
    {"≤", "$\\leq$"},
    {"≥", "$\\geq$"},
    {"\xEF\xBF\xBD", "{[}?{]}"}};

/// Null for those that print as they are.
const char* latex_character(std::string_view character) {
  const auto* found = std::find_if(std::begin(kLatex), std::end(kLatex),
                                   [&](const auto& one) { return one.first == character; });
  return found == std::end(kLatex) ? nullptr : found->second;
}

/// The visible pictures of control characters (clean_text), which no font of LaTeX has.
bool is_control_picture(std::string_view character) {
  return character.size() == 3 && character.starts_with("\xE2\x90");
}

std::string latex_cell(const Cell& cell) {
  if (!cell.paper.empty()) return latex(cell.paper);
  std::string text = cell.text;
  for (const std::string& note : cell.notes) text += ", " + note;
  return latex(text);
}

std::string latex_row(const std::vector<std::string>& cells) {
  std::string out;
  for (size_t i = 0; i < cells.size(); ++i) out += (i ? " & " : "") + cells[i];
  return out + " \\\\\n";
}

/// l for what is short, r for numbers, paragraphs for texts.
std::string column_types(const ReportTable& table) {
  const bool texts = table.css.starts_with("replies");
  std::string types;
  for (size_t i = 0; i < table.head.size(); ++i) {
    bool numbers = !table.rows.empty();
    for (const auto& row : table.rows)
      numbers = numbers && row[i].paper.empty() && (std::isfinite(row[i].number) || row[i].text == kMissing);
    char width[48];
    std::snprintf(width, sizeof width, "p{%.2f\\linewidth}", 0.9 / static_cast<double>(table.head.size()));
    types += texts ? width : numbers && i >= table.keys ? "r" : "l";
  }
  return types;
}

}  // namespace

std::string csv_table(const ReportTable& table) {
  std::vector<std::vector<std::string>> names;
  std::string out;
  for (size_t i = 0; i < table.head.size(); ++i) {
    names.push_back(field_names(table, i));
    for (const std::string& name : names.back())
      out += (out.empty() ? "" : ",") + csv(table.head[i] + (name.empty() ? "" : " " + name));
  }
  out += '\n';
  for (const auto& row : table.rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i)
      for (size_t field = 0; field < names[i].size(); ++field)
        line += (i + field ? "," : "") + csv_value(row[i], names[i][field]);
    out += line + '\n';
  }
  return out;
}

std::string latex(std::string_view text, size_t limit) {
  const std::string clean = clean_text(text, limit);
  std::string out;
  for (size_t at = 0, length = 0; at < clean.size(); at += length) {
    length = unicode::decode(clean, at).length;
    const std::string_view character = std::string_view(clean).substr(at, length);
    if (const char* written = latex_character(character))
      out += written;
    else if (character == "-" && out.ends_with('-'))
      out += "{}-";  // or two would become a dash
    else if (is_control_picture(character))
      out += "{[}control{]}";
    else
      out += character;
  }
  return out;
}

std::string latex_table(const ReportTable& table) {
  constexpr size_t kOnePage = 40;
  const bool is_long = table.rows.size() > kOnePage;
  std::vector<std::string> head;
  for (const std::string& name : table.head) head.push_back(latex(name));
  std::string body;
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    for (const Cell& cell : row) cells.push_back(latex_cell(cell));
    body += latex_row(cells);
  }
  const std::string types = column_types(table), caption = "\\caption{" + latex(table.caption) + "}",
                    titles = "\\toprule\n" + latex_row(head) + "\\midrule\n";
  const std::string needs = std::string("% \\usepackage{booktabs") + (is_long ? ",longtable" : "") + "}\n";
  if (is_long)
    return needs + "\\begin{longtable}{" + types + "}\n" + caption + "\\\\\n" + titles + "\\endhead\n" +
           body + "\\bottomrule\n\\end{longtable}\n";
  return needs + "\\begin{table}\n" + caption + "\n\\centering\n\\begin{tabular}{" + types + "}\n" + titles +
         body + "\\bottomrule\n\\end{tabular}\n\\end{table}\n";
}

}  // namespace hijack::report
