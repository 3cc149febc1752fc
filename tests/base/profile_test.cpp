// A trace that a viewer can open, and operators with the time they took by themselves.
#include "src/base/profile.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack::profile_test {
namespace {

const std::filesystem::path kFile =
    std::filesystem::path(testing::TempDir()) / ("hijack_profile_" + std::to_string(::getpid()) + ".json");

TEST(Profile, WritesATraceAndNamesTheOperatorThatTakesTheTime) {
  Profile profile(kFile);
  profile.start();
  const at::Tensor a = at::ones({256, 256});
  for (int i = 0; i < 20; ++i) at::mm(a, a);
  profile.stop();
  profile.stop();  // does nothing
  const auto trace = read_json(kFile);
  int64_t products = 0;
  for (const auto& event : trace.at("traceEvents")) products += event.value("name", "") == "aten::mm";
  EXPECT_EQ(products, 20);
  const std::string& table = profile.summary();
  const std::string first = table.substr(table.find('\n') + 1);
  EXPECT_TRUE(first.starts_with("aten::mm ")) << table;
  std::filesystem::remove(kFile);
}

TEST(Profile, WithoutAFileNothingIsRecorded) {
  Profile profile("");
  profile.start();
  at::ones({2}).add(1);
  profile.stop();
  EXPECT_EQ(profile.summary(), "");
}

TEST(Profile, AFolderThatDoesNotExistIsAFailure) {
  Profile profile("/nonexistent/folder/trace.json");
  profile.start();
  EXPECT_THROW(profile.stop(), Failure);
}

}  // namespace
}  // namespace hijack::profile_test
