// Tables as the page shows them, and the CSV and LaTeX files beside them.
#include <gtest/gtest.h>

#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/page/table.h"
#include "src/experiment/report/report.h"
#include "tests/support/sample_run.h"
#include "tests/support/temporary_folder.h"

namespace hijack::report_tables_test {
namespace {

using namespace report;

ReportTable sample() {
  ReportTable table{"sample", {"Defense", "Exact success", "Seconds"}};
  Rate rate;
  rate.add("photo", 0, 24, 50);
  table.rows = {{{"jpeg:quality=90"}, rate_cell(rate), number_cell(0.25)},
                {{"50% & more_#1"}, rate_cell({}), number_cell(std::nan(""))}};
  table.caption = "A caption.";
  return table;
}

TEST(ReportTables, CsvHasNumbers) {
  EXPECT_EQ(csv_table(sample()),
            "\"Defense\",\"Exact success\",\"Exact success low\",\"Exact success high\",\"Exact success "
            "successes\",\"Exact success n\",\"Seconds\"\n"
            "\"jpeg:quality=90\",0.48," +
                std::string(rate_cell({24, 50}).fields[1].value) + "," + rate_cell({24, 50}).fields[2].value +
                ",24,50,0.25\n"
                "\"50% & more_#1\",,,,,,\n");
}

TEST(ReportTables, LatexIsEscapedAndHasTheSameRows) {
  EXPECT_EQ(latex_table(sample()),
            "% \\usepackage{booktabs}\n"
            "\\begin{table}\n\\caption{A caption.}\n\\centering\n\\begin{tabular}{llr}\n\\toprule\n"
            "Defense & Exact success & Seconds \\\\\n\\midrule\n"
            "jpeg:quality=90 & 48\\% (35--61\\%) & 0.250 \\\\\n"
            "50\\% \\& more\\_\\#1 & -- & -- \\\\\n"
            "\\bottomrule\n\\end{tabular}\n\\end{table}\n");
}

TEST(ReportTables, LongOnesRunOverSeveralPagesOfPaper) {
  ReportTable table = sample();
  while (table.rows.size() < 60) table.rows.push_back(table.rows.front());
  EXPECT_NE(latex_table(table).find("\\begin{longtable}"), std::string::npos);
}

TEST(ReportTables, LatexOfHostileTextPrintsIt) {
  EXPECT_EQ(latex("a\\b{c}$d^e~f_g%h#i&j"),
            "a\\textbackslash{}b\\{c\\}\\$d\\textasciicircum{}e\\textasciitilde{}f\\_g\\%h\\#i\\&j");
  EXPECT_EQ(latex("\\input{/etc/passwd}"), "\\textbackslash{}input\\{/etc/passwd\\}");
  EXPECT_EQ(latex("[x]*--\n\"q\""), "{[}x{]}{*}-{}- {''}q{''}");
  EXPECT_EQ(latex("−68 pp ± 1 · 90–98%…"), "$-$68 pp $\\pm$ 1 $\\cdot$ 90--98\\%\\ldots{}");
  EXPECT_EQ(latex("\x01"), "{[}control{]}");
  EXPECT_EQ(latex("é日"), "é日");
}

TEST(ReportTables, NamesBreakBetweenTheirPartsOnly) {
  EXPECT_EQ(breakable("jpeg:quality=90"), "jpeg:quality=90");
  EXPECT_EQ(breakable("behind jpeg:quality=90, perplexity"), "behind jpeg:quality=90, perplexity");
  EXPECT_EQ(breakable("paraphrase:temperature=0.7"), "paraphrase:<wbr>temperature=0.7");
  EXPECT_EQ(breakable(std::string(30, 'x')), std::string(28, 'x') + "<wbr>xx");
  EXPECT_EQ(breakable("<b>"), "&lt;b&gt;");
}

TEST(ReportTables, KeysStandInTheFirstColumnOfNarrowScreens) {
  ReportTable table{"t", {"Behavior", "steps", "Exact success"}, 2};
  table.rows = {{{"string"}, {"60"}, {"1"}}};
  const std::string page = html_table(table);
  EXPECT_NE(page.find("<span class=\"also\"><small>steps 60</small></span></th>"), std::string::npos) << page;
  EXPECT_NE(page.find("<td class=\"key\" data-label=\"steps\">60</td>"), std::string::npos);
  EXPECT_NE(page.find("<td class=\"main\" data-label=\"Exact success\">1</td>"), std::string::npos);
}

TEST(ReportTables, EveryTableOfThePageHasBothFiles) {
  const support::TemporaryFolder folder;
  const std::string page =
      html_report({support::small_run(folder.path() / "one"), support::sweep_run(folder.path() / "many")});
  const auto count = [&](const std::string& part) {
    size_t found = 0;
    for (size_t at = page.find(part); at != std::string::npos; at = page.find(part, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("href=\"data:text/csv;"), count("href=\"data:application/x-tex;"));
  EXPECT_EQ(count("<p class=\"files\">"), count("<figure class=\"table\">") + 2)
      << "and those of the replies by defense";
}

}  // namespace
}  // namespace hijack::report_tables_test
