#include "src/base/base64.h"

#include <gtest/gtest.h>

#include "src/base/random.h"
#include "src/base/sha256.h"

namespace hijack::base64_test {
namespace {

TEST(Base64, ReadsWhatItWrote) {
  Random random(7);
  for (int length = 0; length < 70; ++length) {
    std::string bytes;
    for (int i = 0; i < length; ++i) bytes += static_cast<char>(random.between(0, 255));
    EXPECT_EQ(base64_decoded(base64(bytes)), bytes) << length;
  }
  EXPECT_EQ(base64_decoded("TWFu"), "Man");
  EXPECT_EQ(base64_decoded("TWE="), "Ma");
  EXPECT_EQ(base64_decoded("TQ=="), "M");
}

TEST(Base64, RefusesEverythingElse) {
  for (const char* text : {"A", "AA", "AAA", "AA=A", "=AAA", "A===", "====", "TQ= =", "TWE=TWE=", "TW-u",
                           "TW_u", "TWFu\n", " TWF", "TR==", "TWF=", "TW\xff\xff"})
    EXPECT_FALSE(base64_decoded(text)) << text;
}

}  // namespace
}  // namespace hijack::base64_test
