#include "src/base/csv.h"

#include <gtest/gtest.h>

#include "src/base/file.h"
#include "tests/support/temporary_folder.h"

namespace hijack::csv_test {
namespace {

using support::error_of;
using Rows = std::vector<std::vector<std::string>>;

Rows rows_of(const std::string& text) {
  Rows rows;
  for (const CsvTable::Row& row : parse_csv(text, "f").rows) rows.push_back(row.fields);
  return rows;
}

std::string refused(const std::string& text) {
  return error_of([&] { parse_csv(text, "f.csv"); });
}

TEST(Csv, ReadsQuotesLineBreaksAndEmptyFields) {
  const CsvTable table = parse_csv(
      "\xef\xbb\xbfGoal,target\r\n\"say \"\"hi\"\", now\",yes\r\n\n\"two\nlines\",\n,\"\"\nlast, x ", "f");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"Goal", "target"}));
  EXPECT_EQ(table.column("goal"), 0u);
  EXPECT_EQ(table.column("TARGET"), 1u);
  EXPECT_FALSE(table.column("prompt"));
  ASSERT_EQ(table.rows.size(), 4u);
  EXPECT_EQ(table.rows[0].fields, (std::vector<std::string>{"say \"hi\", now", "yes"}));
  EXPECT_EQ(table.rows[1].fields, (std::vector<std::string>{"two\nlines", ""}));
  EXPECT_EQ(table.rows[1].line, 4u);
  EXPECT_EQ(table.rows[2].fields, (std::vector<std::string>{"", ""}));
  EXPECT_EQ(table.rows[3].fields, (std::vector<std::string>{"last", " x "}));
  EXPECT_EQ(table.rows[3].line, 7u);
}

TEST(Csv, EndsWithAndWithoutALineBreak) {
  EXPECT_EQ(rows_of("a\nb"), (Rows{{"b"}}));
  EXPECT_EQ(rows_of("a\nb\n"), (Rows{{"b"}}));
  EXPECT_EQ(rows_of("a\n\"b\""), (Rows{{"b"}}));
  EXPECT_EQ(rows_of("a,b\nc,\"\""), (Rows{{"c", ""}}));
  EXPECT_EQ(rows_of("a\n"), Rows{});
}

TEST(Csv, HostileFilesAreRefusedWithTheirLine) {
  EXPECT_NE(refused("").find("is empty"), std::string::npos);
  EXPECT_NE(refused("a,b\n1,2\n\"open").find("f.csv:3: a quote is opened"), std::string::npos);
  EXPECT_NE(refused("a,b\n\"x\"y,2").find("f.csv:2: text after the closing quote"), std::string::npos);
  EXPECT_NE(refused("a,b\n1,2,3").find("f.csv:2: 3 fields, but 2 columns"), std::string::npos);
  EXPECT_NE(refused("a,b\n1").find("1 fields"), std::string::npos);
  EXPECT_NE(refused("a\n\xff\xfe").find("UTF-8"), std::string::npos);
  EXPECT_NE(refused(std::string("a\nx\0y", 5)).find("NUL"), std::string::npos);
  EXPECT_NE(refused("a\n" + std::string(70'000, 'x')).find("64 KiB"), std::string::npos);
  EXPECT_NE(refused(std::string(100, ',')).find("64 columns"), std::string::npos);
  EXPECT_NE(error_of([] { read_csv("/no/such.csv"); }), "");
}

}  // namespace
}  // namespace hijack::csv_test
