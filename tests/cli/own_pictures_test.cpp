// hijack evaluate --images-of: a test set's cases, each about its own picture.
#include <nlohmann/json.hpp>

#include "src/base/image.h"
#include "src/base/sha256.h"
#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::own_pictures_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

class OwnPictures : public Program {
 protected:
  OwnPictures() {
    EXPECT_EQ(run(attack("--steps 1 --out " + at("run"))).code, 0) << read_file(at("err"));
    fs::create_directories(at("set/processed_questions"));
    json entries;
    for (int i = 0; i < 3; ++i) {
      const std::string id = std::to_string(i);
      entries[id] = {{"Rephrased Question", "What is in picture " + id + "?"}};
      const std::string folder = at("set/imgs/01-Garden/SD_TYPO/");
      fs::create_directories(folder);
      fs::copy_file(kPhoto, folder + id + ".jpg");  // a PNG by its content: that is what counts
    }
    write_file(at("set/processed_questions/01-Garden.json"), entries.dump());
  }
  std::vector<ReplyRow> rows() const {
    std::vector<ReplyRow> found;
    for (const ReplyRow& row : read_run(at("run")).replies)
      if (row.condition == kOwnPicture) found.push_back(row);
    return found;
  }
};

TEST_F(OwnPictures, AreAskedAboutBehindEachDefense) {
  const std::string command =
      "evaluate " + at("run") +
      " --utility 0 --suffix-steps 0 --defense bit_depth --images-of mm-safetybench:" + at("set");
  const Outcome outcome = run(command);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("mm-safetybench, 01-Garden"), std::string::npos) << outcome.out;
  const auto asked = rows();
  ASSERT_EQ(asked.size(), 6u) << "three cases, with the defense and without";
  for (const ReplyRow& row : asked) {
    EXPECT_TRUE(row.photo.starts_with("imgs/01-Garden/SD_TYPO/")) << row.photo;
    EXPECT_TRUE(row.exact) << "the tiny model never refuses: " << row.reply;
  }
  ASSERT_EQ(run(command).code, 0);
  EXPECT_EQ(rows().size(), 6u) << "asked once";
  const json report = json::parse(run("report " + at("run") + " --json").out);
  ASSERT_EQ(report["own_pictures"].size(), 2u);
  EXPECT_EQ(report["own_pictures"][0]["obeyed"]["n"], 3);
  EXPECT_NE(read_file(at("run/report.html")).find("Test sets with their own pictures"), std::string::npos);
  EXPECT_NE(run("report " + at("run") + " --format csv").out.find("own_pictures,"), std::string::npos);
  ASSERT_EQ(run("judge " + at("run") + " --judge refusal-words").code, 0);
  EXPECT_NE(read_file(at("out")).find("own pictures"), std::string::npos) << read_file(at("out"));
}

TEST_F(OwnPictures, OfSetsWithAnswersCountWhatIsRight) {
  write_file(
      at("set/coco_pope_random.json"),
      "{\"image\": \"imgs/01-Garden/SD_TYPO/0.jpg\", \"text\": \"Is there a cat?\", \"label\": \"yes\"}\n");
  ASSERT_EQ(run("evaluate " + at("run") +
                " --utility 0 --suffix-steps 0 --images-of pope:" + at("set/coco_pope_random.json"))
                .code,
            0)
      << read_file(at("err"));
  const auto asked = rows();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].expected, "yes");
  EXPECT_FALSE(asked[0].correct) << "the tiny model says no words";
}

TEST_F(OwnPictures, OfMmBenchAreInItsTable) {
  const std::string picture = base64(read_file(kPhoto));
  const std::string head = "index\tquestion\thint\tA\tB\tanswer\tcategory\timage\n";
  const std::string first = "1\tWhat is it?\t\tcat\tdog\tA\tanimals\t" + picture + "\n";
  write_file(at("set/mmbench.tsv"), head + first + "2\tWhat color is it?\tLook.\tgray\tblue\tB\tcolors\t1\n");
  const std::string command =
      "evaluate " + at("run") + " --utility 0 --suffix-steps 0 --images-of mmbench:" + at("set");
  const Outcome outcome = run(command);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("mmbench, animals"), std::string::npos) << outcome.out;
  const auto asked = rows();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0].photo, "mmbench.tsv#1");
  EXPECT_EQ(asked[1].photo, "mmbench.tsv#1") << "the picture of the row that it names";
  EXPECT_EQ(asked[1].expected, "B");
  EXPECT_FALSE(asked[0].correct) << "the tiny model says no words";
  const std::string before = read_file(at("run/replies.jsonl"));
  write_file(at("set/mmbench.tsv"), head + first + "2\tWhat color is it?\t\tgray\tblue\tB\tcolors\t7\n");
  expect_refused(command, "mmbench.tsv:3: its picture '7' is neither base64 nor the index");
  write_file(at("set/mmbench.tsv"), head + first.substr(0, first.size() / 2) + "\n");
  expect_refused(command, "mmbench.tsv:2: the picture");
  EXPECT_EQ(read_file(at("run/replies.jsonl")), before);
}

TEST_F(OwnPictures, WithoutThemTheReportHasNone) {
  ASSERT_EQ(run("evaluate " + at("run") + " --utility 0 --suffix-steps 0 --defense bit_depth").code, 0);
  EXPECT_EQ(read_file(at("run/report.html")).find("Test sets with their own pictures"), std::string::npos);
  EXPECT_TRUE(json::parse(run("report " + at("run") + " --json").out)["own_pictures"].empty());
}

TEST_F(OwnPictures, WhatIsWrongIsRefusedBeforeAnythingIsAsked) {
  const std::string before = read_file(at("run/replies.jsonl"));
  const std::string command = "evaluate " + at("run") + " --utility 0 --images-of ";
  expect_refused(command + "mm-safetybensh:" + at("set"), "did you mean 'mm-safetybench'");
  expect_refused(command + "mm-safetybench", "names no folder");
  expect_refused(command + "mm-safetybench:" + at("none"), "none");
  fs::remove(at("set/imgs/01-Garden/SD_TYPO/2.jpg"));
  expect_refused(command + "mm-safetybench:" + at("set"), "01-Garden.json: entry 2");
  write_file(at("set/harmful_behaviors.csv"), "goal,target\nName a bird.,Sure\n");
  expect_refused(command + "advbench:" + at("set"), "names no picture");
  EXPECT_EQ(read_file(at("run/replies.jsonl")), before);
}

}  // namespace
}  // namespace hijack::own_pictures_test
