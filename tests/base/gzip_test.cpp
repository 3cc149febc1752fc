#include "src/base/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "src/base/file.h"
#include "tests/support/temporary_folder.h"

namespace hijack::gzip_test {
namespace {

using support::error_of;

TEST(Gzip, ReadsWhatWasPackedAndRefusesTheRest) {
  const support::TemporaryFolder folder;
  const auto file = folder.path() / "rows.gz";
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "row " + std::to_string(i) + "\n";
  const gzFile out = gzopen(file.c_str(), "wb");
  gzwrite(out, text.data(), static_cast<unsigned>(text.size()));
  gzclose(out);
  EXPECT_EQ(read_gzip(file, 1 << 30), text);
  EXPECT_NE(error_of([&] { read_gzip(file, 1000); }).find("more than 1000"), std::string::npos);
  const std::string packed = read_file(file);
  write_file(file, packed.substr(0, packed.size() / 2));
  EXPECT_NE(error_of([&] { read_gzip(file, 1 << 30); }), "");
  EXPECT_NE(error_of([&] { read_gzip(folder.path() / "none.gz", 1); }).find("none.gz"), std::string::npos);
}

}  // namespace
}  // namespace hijack::gzip_test
