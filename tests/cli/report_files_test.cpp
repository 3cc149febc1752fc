// The tables of a report as files, as `hijack report` writes them.
#include <gtest/gtest.h>

#include "tests/support/program.h"

namespace hijack::report_files_test {
namespace {

using ReportFiles = support::Program;
using support::Outcome;

std::string decoded(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t group = 0, bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    group = group << 6 | static_cast<uint32_t>(digits.find(c));
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(group >> (bits -= 8) & 255);
  }
  return bytes;
}

/// The file behind a link of the page.
std::string linked(const std::string& page, const std::string& name) {
  const size_t link = page.find("download=\"" + name + "\"");
  if (link == std::string::npos) return "no link to " + name;
  const size_t from = page.find("base64,", link) + 7;
  return decoded(page.substr(from, page.find('"', from) - from));
}

TEST_F(ReportFiles, CsvAndLatexBesideTheTables) {
  const Outcome attacked =
      run(attack("--steps 2 --epsilon 8/255 --target '50% & more_#1' --max-new-tokens 20 "
                 "--out " +
                 at("run")));
  ASSERT_EQ(attacked.code, 0) << attacked.err;
  const Outcome evaluated =
      run("evaluate " + at("run") + " --defense jpeg:quality=90 --suffix-steps 0 --utility 2");
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;

  const std::string latex = run("report " + at("run") + " --format latex").out;
  for (const char* part : {"\\usepackage{booktabs", "\\begin{tabular}{", "\\toprule", "\\midrule",
                           "\\bottomrule", "\njpeg:quality=90 & ", "Exact success & ", "linf 8/255", "\\% ("})
    EXPECT_NE(latex.find(part), std::string::npos) << part << "\n" << latex;
  ASSERT_EQ(run("report " + at("run") + " -o " + at("table.tex")).code, 0);
  EXPECT_EQ(read_file(at("table.tex")), latex);

  ASSERT_EQ(run("report " + at("run") + " -o " + at("page.html")).code, 0);
  const std::string page = read_file(at("page.html"));
  const std::string csv = linked(page, "defenses.csv"), tex = linked(page, "defenses.tex");
  EXPECT_TRUE(csv.starts_with("\"Defense\",\"Image attack, static\",\"Image attack, static low\"")) << csv;
  EXPECT_NE(csv.find("\n\"jpeg:quality=90\",0.0,"), std::string::npos) << csv;
  EXPECT_NE(latex.find(tex), std::string::npos) << "the same table as on the command line\n" << tex;
  EXPECT_NE(run("report " + at("run") + " --format odt").err.find("html, md, latex, csv or json"),
            std::string::npos);
}

}  // namespace
}  // namespace hijack::report_files_test
