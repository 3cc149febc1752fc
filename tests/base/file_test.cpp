#include "src/base/file.h"

#include <gtest/gtest.h>

#include "src/base/error.h"
#include "src/base/sha256.h"

namespace hijack::file_test {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  FileTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~FileTest() override { fs::remove_all(folder_); }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  const fs::path folder_ = fs::path(testing::TempDir()) / ("hijack_file_" + std::to_string(::getpid()));
};

TEST_F(FileTest, WritesAndReadsAnyBytes) {
  std::string bytes = "a";
  bytes += '\0';
  bytes += "\xff\n";
  write_file(folder_ / "f", bytes);
  EXPECT_EQ(read_file(folder_ / "f"), bytes);
  write_file(folder_ / "f", "");
  EXPECT_EQ(read_file(folder_ / "f"), "");
  EXPECT_EQ(files(), 1u);
}

TEST_F(FileTest, ReadRefusesWhatIsNotThereOrTooLong) {
  EXPECT_THROW(read_file(folder_ / "none"), Error);
  EXPECT_THROW(read_file(folder_), Error);
  EXPECT_THROW(read_file("/dev/zero"), Error);
  write_file(folder_ / "f", "12345");
  EXPECT_EQ(read_file(folder_ / "f", 5), "12345");
  EXPECT_THROW(read_file(folder_ / "f", 4), Error);
}

TEST_F(FileTest, FailedWritesLeaveNothing) {
  EXPECT_THROW(write_file(folder_ / "none" / "f", "x"), Error);
  fs::create_directories(folder_ / "taken" / "inside");
  EXPECT_THROW(write_file(folder_ / "taken", "x"), Error);  // a folder cannot be replaced
  EXPECT_EQ(files(), 1u);
}

TEST_F(FileTest, WriterWithoutCommitKeepsTheOldFile) {
  write_file(folder_ / "f", "old");
  {
    FileWriter writer(folder_ / "f");
    writer.write("ne");
    writer.write("w");
    EXPECT_EQ(read_file(folder_ / "f"), "old");
    EXPECT_EQ(files(), 2u);
  }
  EXPECT_EQ(read_file(folder_ / "f"), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(FileTest, Sha256OfKnownTexts) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  write_file(folder_ / "f", std::string(1000000, 'a'));
  EXPECT_EQ(sha256_file(folder_ / "f"), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_THROW(sha256_file(folder_ / "none"), Error);
}

TEST_F(FileTest, Sha256InPiecesEqualsWhole) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (size_t length = 0; length < 200; ++length) {
    Sha256 hash;
    for (size_t i = 0; i < length; i += 13)
      hash.update(std::string_view(text).substr(i, std::min<size_t>(13, length - i)));
    EXPECT_EQ(hash.finish(), sha256(text.substr(0, length)));
  }
}

}  // namespace
}  // namespace hijack::file_test
