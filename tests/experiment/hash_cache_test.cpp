// Hashes of large files are kept from run to run, and never used for a file that has changed.
#include "src/experiment/plan/hash_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "src/base/file.h"
#include "src/base/sha256.h"
#include "tests/support/temporary_folder.h"

namespace hijack::hash_cache_test {
namespace {

namespace fs = std::filesystem;

struct HashCacheTest : ::testing::Test {
  support::TemporaryFolder folder;
  HashCache cache{folder.path() / "hashes"};
  const std::string hash = sha256("x");

  fs::path large(const std::string& name, char fill = 'a') const {
    write_file(folder.path() / name, std::string(17 << 20, fill));
    return folder.path() / name;
  }
  /// As if it had been written some time ago.
  static FileStamp settled(const fs::path& file) {
    FileStamp stamp = stamp_of(file);
    stamp.modified -= int64_t{60} * 1'000'000'000;
    stamp.changed -= int64_t{60} * 1'000'000'000;
    return stamp;
  }
};

TEST_F(HashCacheTest, KeepsWhatHasSettled) {
  const FileStamp stamp = settled(large("weights"));
  EXPECT_EQ(cache.find(stamp), std::nullopt);
  cache.keep(stamp, hash);
  EXPECT_EQ(cache.find(stamp), hash);
  EXPECT_EQ(HashCache(folder.path() / "others").find(stamp), std::nullopt);
  EXPECT_EQ(HashCache({}).find(stamp), std::nullopt);
}

TEST_F(HashCacheTest, EveryPartOfTheStampCounts) {
  const FileStamp stamp = settled(large("weights"));
  cache.keep(stamp, hash);
  for (int64_t FileStamp::*const part : {&FileStamp::size, &FileStamp::modified, &FileStamp::changed}) {
    FileStamp other = stamp;
    ++(other.*part);
    EXPECT_EQ(cache.find(other), std::nullopt);
  }
  FileStamp other = stamp;
  ++other.inode;
  EXPECT_EQ(cache.find(other), std::nullopt);
}

TEST_F(HashCacheTest, AChangedFileHasAnotherStamp) {
  const fs::path file = large("weights");
  const FileStamp before = stamp_of(file);
  const auto written = fs::last_write_time(file);
  {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(1 << 20);
    stream.put('b');
  }
  fs::last_write_time(file, written);  // as who hides the change would
  EXPECT_NE(stamp_of(file), before);
  EXPECT_EQ(stamp_of(folder.path() / "missing"), FileStamp{});
}

TEST_F(HashCacheTest, KeepsNothingOfFreshOrSmallFiles) {
  const FileStamp fresh = stamp_of(large("weights"));
  cache.keep(fresh, hash);
  EXPECT_EQ(cache.find(fresh), std::nullopt) << "its next change might have the same time";
  write_file(folder.path() / "small", "x");
  const FileStamp small = settled(folder.path() / "small");
  cache.keep(small, hash);
  EXPECT_EQ(cache.find(small), std::nullopt);
}

TEST_F(HashCacheTest, TrustsNothingThatOthersCouldHaveWritten) {
  const FileStamp stamp = settled(large("weights"));
  cache.keep(stamp, hash);
  const fs::path hashes = folder.path() / "hashes", entry = *begin(fs::directory_iterator(hashes));
  ASSERT_EQ(::chmod(hashes.c_str(), 0777), 0);
  EXPECT_EQ(cache.find(stamp), std::nullopt);
  ASSERT_EQ(::chmod(hashes.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(entry.c_str(), 0666), 0);
  EXPECT_EQ(cache.find(stamp), std::nullopt);
  ASSERT_EQ(::chmod(entry.c_str(), 0644), 0);
  EXPECT_EQ(cache.find(stamp), hash);
  std::string wrong(64, 'a');
  wrong.back() = '!';
  write_file(entry, wrong);
  EXPECT_EQ(cache.find(stamp), std::nullopt) << "no hash";
  write_file(entry, "short");
  EXPECT_EQ(cache.find(stamp), std::nullopt);
}

}  // namespace
}  // namespace hijack::hash_cache_test
