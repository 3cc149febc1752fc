#include "src/experiment/plan/dataset.h"

#include <gtest/gtest.h>

#include "src/base/file.h"
#include "tests/support/temporary_folder.h"

namespace hijack::dataset_test {
namespace {

using support::error_of;

class Dataset : public ::testing::Test {
 protected:
  ContextSet read(const std::string& lines) {
    write_file(file_, lines);
    return read_contexts(file_);
  }
  std::string refused(const std::string& lines) {
    return error_of([&] { read(lines); });
  }
  support::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "c.jsonl";
};

TEST_F(Dataset, ReadsSplitsSystemAndEarlierTurns) {
  const ContextSet set =
      read(R"({"prompt": "a", "split": "train"})"
           "\n\n"
           R"({"prompt": "b", "split": "test", "system": "s", "earlier": [{"user": "u", "assistant": "v"}]})"
           "\r\n"
           R"({"prompt": "c", "split": "calibration"})");
  ASSERT_EQ(set.train.size(), 1u);
  ASSERT_EQ(set.test.size(), 1u);
  EXPECT_EQ(set.validation.size(), 0u);
  EXPECT_EQ(set.calibration.at(0).prompt, "c");
  EXPECT_EQ(set.test[0].system, "s");
  EXPECT_EQ(set.test[0].earlier.at(0).assistant, "v");
  EXPECT_EQ(&set.split("test"), &set.test);
  EXPECT_EQ(context_to_json(set.test[0]).dump(),
            R"({"earlier":[{"assistant":"v","user":"u"}],"prompt":"b","system":"s"})");
}

TEST_F(Dataset, ChatTemplates) {
  const auto read_settings = [&](const std::string& lines) {
    write_file(file_, lines);
    return read_templates(file_);
  };
  const auto settings = read_settings(
      "{}\n\n"
      R"({"system": "s", "earlier": [{"user": "u", "assistant": "v"}]})");
  ASSERT_EQ(settings.size(), 2u);
  EXPECT_EQ(settings[0].system, "");
  EXPECT_EQ(settings[1].system, "s");
  EXPECT_EQ(settings[1].earlier.at(0).user, "u");
  const auto refused_settings = [&](const std::string& lines) {
    return error_of([&] { read_settings(lines); });
  };
  EXPECT_NE(refused_settings("\n").find("holds no chat templates"), std::string::npos);
  EXPECT_NE(refused_settings("{}\n{}").find("c.jsonl:2"), std::string::npos);
  EXPECT_NE(refused_settings(R"({"sistem": "s"})").find("did you mean 'system'"), std::string::npos);
  EXPECT_NE(refused_settings(R"({"prompt": "s"})").find("c.jsonl:1"), std::string::npos);
  EXPECT_NE(refused_settings(R"({"earlier": [1]})").find("earlier"), std::string::npos);
  EXPECT_NE(refused_settings("[1]").find("JSON object"), std::string::npos);
  EXPECT_GE(read_templates(std::string(HIJACK_SOURCE_DIR) + "/samples/contexts/templates.jsonl").size(), 4u);
}

TEST_F(Dataset, HostileLinesAreRefusedWithTheirNumber) {
  const std::string good = R"({"prompt": "a", "split": "train"})"
                           "\n";
  EXPECT_EQ(refused(good), "");
  for (const std::string& bad :
       {std::string("{"), std::string("[]"), std::string("null"), std::string("{} {}"),
        std::string(R"({"prompt": "a"})"), std::string(R"({"prompt": "a", "split": "dev"})"),
        std::string(R"({"prompt": "", "split": "test"})"),
        std::string(R"({"prompt": " \n", "split": "test"})"),
        std::string(R"({"prompt": 3, "split": "test"})"), std::string(R"({"prompt": "a", "split": 1})"),
        std::string(R"({"prompt": "b", "split": "test", "earlier": "x"})"),
        std::string(R"({"prompt": "b", "split": "test", "earlier": [{"user": "x"}]})"),
        std::string(R"({"prompt": "b", "split": "test", "earlier": [{"user": 1, "assistant": "x"}]})"),
        std::string("{\"prompt\": \"\xff\xfe\", \"split\": \"test\"}"), std::string(5000, '['),
        R"({"prompt": ")" + std::string(70'000, 'a') + R"(", "split": "test"})"})
    EXPECT_NE(refused(good + bad).find("c.jsonl:2"), std::string::npos) << bad.substr(0, 80);
  EXPECT_NE(refused(R"({"promt": "a", "split": "train"})").find("did you mean 'prompt'"), std::string::npos);
  EXPECT_NE(error_of([] { read_contexts("/no/such.jsonl"); }), "");
}

TEST_F(Dataset, AContextIsInOneSplitOnly) {
  const std::string held_out = R"({"prompt": "a", "split": "test"})"
                               "\n";
  EXPECT_NE(refused(R"({"prompt": "a", "split": "train"})"
                    "\n" +
                    held_out)
                .find("line 1"),
            std::string::npos);
  // The same prompt under another system prompt is another context.
  EXPECT_EQ(refused(R"({"prompt": "a", "split": "train", "system": "s"})"
                    "\n" +
                    held_out),
            "");
}

TEST_F(Dataset, TakesTheFirstOfEachSplit) {
  std::string lines;
  for (int i = 0; i < 6; ++i)
    lines +=
        R"({"prompt": "p)" + std::to_string(i) + R"(", "split": ")" + (i < 4 ? "train" : "test") + "\"}\n";
  const ContextSet all = read(lines);
  EXPECT_EQ(take(all, {}, "f").train.size(), 4u);
  EXPECT_EQ(take(all, {.train = 2}, "f").train.at(1).prompt, "p1");
  EXPECT_NE(error_of([&] { take(all, {.test = 3}, "f"); }).find("fewer than the 3"), std::string::npos);
  EXPECT_NE(error_of([&] { take(read(R"({"prompt": "a", "split": "test"})"), {}, "f"); }), "");
}

TEST_F(Dataset, ContextsBringTargetsOfTheirOwn) {
  const ContextSet set = read(R"({"prompt": "a", "split": "train", "target": "yes"})"
                              "\n"
                              R"({"prompt": "b", "split": "test"})");
  ASSERT_EQ(set.targets.size(), 1u);
  EXPECT_EQ(set.targets[0].first.prompt, "a");
  EXPECT_EQ(set.targets[0].second, "yes");
  const std::string first = R"({"prompt": "a", "split": "train", "target": "yes"})"
                            "\n";
  EXPECT_NE(refused(first + R"({"prompt": "a", "split": "train", "target": "no"})").find("another target"),
            std::string::npos);
  EXPECT_NE(refused(R"({"prompt": "a", "split": "train", "target": " "})").find("'target' is empty"),
            std::string::npos);
}

TEST_F(Dataset, ReadsTheLayoutOfAdvBench) {
  file_ = folder_.path() / "c.csv";
  const ContextSet set = read(
      "goal,target\n\"Say, please\",\"Sure, \"\"here\"\"\"\nb,Sure b\nc,Sure c\nb,Sure b\nd,Sure d\ne,Sure "
      "e\n");
  ASSERT_EQ(set.train.size(), 3u);
  EXPECT_EQ(set.train[0].prompt, "Say, please");
  EXPECT_EQ(set.train[1].prompt, "c");
  EXPECT_EQ(set.train[2].prompt, "e");
  ASSERT_EQ(set.test.size(), 1u);
  EXPECT_EQ(set.test[0].prompt, "b");
  ASSERT_EQ(set.validation.size(), 1u);
  EXPECT_EQ(set.validation[0].prompt, "d");
  ASSERT_EQ(set.targets.size(), 5u);
  EXPECT_EQ(set.targets[0].second, "Sure, \"here\"");
  const ContextSet named = read("split,prompt,system\ntest,a,s\ntrain,a,\n");
  EXPECT_EQ(named.test.at(0).system, "s");
  EXPECT_EQ(named.train.at(0).system, "");
  EXPECT_TRUE(named.targets.empty());
}

TEST_F(Dataset, BadTablesAreRefused) {
  file_ = folder_.path() / "c.csv";
  EXPECT_NE(refused("target\nyes\n").find("there is no column 'goal'"), std::string::npos);
  EXPECT_NE(refused("gaol,target\na,b\n").find("did you mean 'goal'"), std::string::npos);
  EXPECT_NE(refused("goal,target\na,\n").find("c.csv:2: 'target' is empty"), std::string::npos);
  EXPECT_NE(refused("goal,target\n\" \",b\n").find("'prompt' is missing"), std::string::npos);
  EXPECT_NE(refused("goal,split\na,dev\n").find("'split' must be"), std::string::npos);
  EXPECT_NE(refused("goal,split\na,test\na,train\n").find("one split only"), std::string::npos);
  EXPECT_NE(refused("goal,target\n").find("holds no contexts"), std::string::npos);
  file_ = folder_.path() / "c.jsonl";
  EXPECT_NE(refused("\n\n").find("holds no contexts"), std::string::npos);
}

TEST(ShippedContexts, AreReadable) {
  const std::filesystem::path folder = std::filesystem::path(HIJACK_SOURCE_DIR) / "samples/contexts";
  for (const char* name : {"pocket.jsonl", "pocket_policy.jsonl", "pocket_reading.jsonl"}) {
    const ContextSet set = read_contexts(folder / name);
    EXPECT_EQ(set.train.size(), 80u) << name;
    EXPECT_EQ(set.validation.size(), 30u) << name;
    EXPECT_EQ(set.test.size(), 50u) << name;
    EXPECT_EQ(set.calibration.size(), 200u) << name;
  }
}

}  // namespace
}  // namespace hijack::dataset_test
