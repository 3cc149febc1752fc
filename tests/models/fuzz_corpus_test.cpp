// The corpora of tests/fuzz, through the same functions as under libFuzzer: whatever a run found stays found.
#include <gtest/gtest.h>

#include "src/base/file.h"
#include "tests/support/fuzz_targets.h"

namespace hijack::fuzz_corpus_test {
namespace {

namespace fs = std::filesystem;

TEST(FuzzCorpus, EveryInputIsReadOrRefused) {
  for (const hijack::support::FuzzTarget& target : hijack::support::fuzz_targets()) {
    const fs::path corpus = fs::path(HIJACK_SOURCE_DIR) / "tests/fuzz/corpus" / target.name;
    int64_t inputs = 0;
    for (const auto& entry : fs::directory_iterator(corpus)) {
      EXPECT_NO_THROW(target.run(read_file(entry.path()))) << entry.path();
      ++inputs;
    }
    EXPECT_GE(inputs, 10) << corpus;
  }
}

}  // namespace
}  // namespace hijack::fuzz_corpus_test
