// --contexts with a test set as it lies on disk.
#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::test_sets_program_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

TEST_F(Program, ATestSetIsReadWhereItLies) {
  fs::create_directories(at("set"));
  std::string text = "category,source,forbidden_prompt\n";
  for (int i = 0; i < 12; ++i)
    text += std::string(i % 2 ? "Trees" : "Fruit") + ",us,\"Name one, number " + std::to_string(i) + ".\"\n";
  write_file(at("set/strongreject_dataset.csv"), text);
  const std::string common =
      "attack --image " + kPhoto + " --threads 1 --target abc --max-new-tokens 6 --steps 1 ";
  const Outcome outcome =
      run(common + "--contexts strongreject:" + at("set") + ",subset=fruit,limit=5 --out " + at("run"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const RunRecord record = read_run(at("run"));
  std::set<std::string> prompts;
  for (const ReplyRow& reply : record.replies) prompts.insert(reply.context.prompt);
  EXPECT_EQ(prompts.size(), 5u);
  for (const std::string& prompt : prompts) EXPECT_EQ((prompt.at(prompt.size() - 2) - '0') % 2, 0) << prompt;
  fs::remove_all(at("set"));
  EXPECT_EQ(run("attack --resume --out " + at("run")).code, 0) << "the run has its own copy";

  expect_refused(common + "--contexts strongreject:" + at("set") + " --out " + at("none"),
                 "neither a folder nor a file");
  write_file(at("bad.csv"), "category,source,forbidden_prompt\nFruit,us\n");
  expect_refused(common + "--contexts strongreject:" + at("bad.csv") + " --out " + at("none"), "bad.csv:2");
  expect_refused(common + "--contexts strongreject:" + at("bad.csv") + ",limit=0 --out " + at("none"),
                 "limit");
  EXPECT_FALSE(fs::exists(at("none")));
}

}  // namespace
}  // namespace hijack::test_sets_program_test
