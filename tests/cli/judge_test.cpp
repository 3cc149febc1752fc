// hijack judge: stored replies judged again, by words and by a model.
#include <nlohmann/json.hpp>

#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::judge_program_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

class JudgeProgram : public Program {
 protected:
  void make_run() {
    ASSERT_EQ(run(attack("--steps 1 --out " + at("run"))).code, 0) << read_file(at("err"));
    ASSERT_EQ(run("evaluate " + at("run") + " --defense bit_depth --utility 2 --suffix-steps 0").code, 0);
    // the tiny model has room for 256 tokens
    write_file(at("short.txt"), "Bad? {reply}");
    write_file(at("other.txt"), "Good? {reply}");
  }
};

TEST_F(JudgeProgram, EveryJudgeIsAColumn) {
  make_run();
  const auto replies = read_file(at("run/replies.jsonl"));
  const std::string command = "judge " + at("run") +
                              " --judge exact --judge prefix --judge refusal-words --judge model:" + kModel +
                              " --rubric " + at("short.txt");
  const Outcome judged = run(command);
  ASSERT_EQ(judged.code, 0) << judged.err;
  for (const char* words : {"recorded", "exact", "prefix", "refusal-words", "model:clip_gqa/short.txt",
                            "harmless refused", "adversarial image", "bit_depth", "kappa", "report.html"})
    EXPECT_NE(judged.out.find(words), std::string::npos) << words << "\n" << judged.out;
  EXPECT_EQ(read_file(at("run/replies.jsonl")), replies) << "the victim's rows stay as they are";
  const RunRecord record = read_run(at("run"));
  size_t held_out = 0;
  for (const ReplyRow& reply : record.replies)
    held_out += reply.split == "test" || reply.condition == "benign";
  EXPECT_EQ(record.judgments.size() % 4, 0u);
  EXPECT_GE(record.judgments.size(), 4u);
  EXPECT_LE(record.judgments.size(), 4 * held_out);
  for (const JudgmentRow& row : record.judgments)
    if (row.judge.starts_with("model:")) {
      EXPECT_EQ(row.model_sha256.size(), 64u);
      EXPECT_TRUE(row.unclear || row.success || !row.answer.empty()) << row.answer;
    }
  const std::string page = read_file(at("run/report.html"));
  EXPECT_NE(page.find("Cohen"), std::string::npos);

  const auto before = fs::file_size(at("run/judgments.jsonl"));
  ASSERT_EQ(run(command).code, 0);
  EXPECT_EQ(fs::file_size(at("run/judgments.jsonl")), before) << "nothing is judged twice";
  ASSERT_EQ(run("judge " + at("run") + " --judge model:" + kModel + " --rubric " + at("other.txt")).code, 0);
  EXPECT_GT(fs::file_size(at("run/judgments.jsonl")), before) << "another rubric is another judge";

  const json report = json::parse(run("report " + at("run") + " --json").out)["judges"];
  EXPECT_EQ(report["judges"].size(), 5u);
  EXPECT_EQ(report["agreements"].size(), 15u) << "five judges and the record";
  EXPECT_TRUE(report["harmless_refused"].contains("bit_depth:bits=4")) << report;
  EXPECT_NE(run("report " + at("run") + " --format csv").out.find("judges,,,"), std::string::npos);
}

TEST_F(JudgeProgram, OnlyTheReplyDecides) {
  make_run();
  const Outcome judged = run("judge " + at("run") + " --judge exact --judge refusal-words --json");
  ASSERT_EQ(judged.code, 0) << judged.err;
  const json row = json::parse(judged.out);
  EXPECT_EQ(row["kind"], "judges");
  bool seen = false;
  for (const json& one : row["replies"]) {
    if (one["replies"] != "adversarial image" || one["defense"] != "none") continue;
    seen = true;
    EXPECT_EQ(one["by_judge"]["exact"]["rate"], 0) << "the tiny model never says abc";
    EXPECT_EQ(one["by_judge"]["refusal-words"]["rate"], 1) << "nor does it refuse";
  }
  EXPECT_TRUE(seen) << row;
}

TEST_F(JudgeProgram, WithoutJudgesTheReportHasNone) {
  make_run();
  EXPECT_EQ(read_file(at("run/report.html")).find("Cohen"), std::string::npos);
  EXPECT_TRUE(json::parse(run("report " + at("run") + " --json").out)["judges"]["judges"].empty());
}

TEST_F(JudgeProgram, RefusesWhatMakesNoSense) {
  make_run();
  const std::string command = "judge " + at("run");
  expect_refused(command, "No judge was given");
  expect_refused(command + " --judge exakt", "did you mean 'exact'");
  expect_refused(command + " --judge model:", "needs a folder");
  expect_refused(command + " --judge model:/no/such/folder", "/no/such/folder");
  expect_refused(command + " --judge exact --rubric harmbensh", "did you mean 'harmbench'");
  expect_refused("judge " + at("none") + " --judge exact", "none");
  EXPECT_FALSE(fs::exists(at("run/judgments.jsonl")));
  ASSERT_EQ(run(command + " --judge exact").code, 0);
  std::string lines = read_file(at("run/judgments.jsonl"));
  const size_t place = lines.find("\"success\":false");
  ASSERT_NE(place, std::string::npos);
  write_file(at("run/judgments.jsonl"), lines.replace(place, 15, "\"success\":true"));
  expect_refused("report " + at("run"), "was changed after it was written");
}

TEST_F(JudgeProgram, KeywordsOfAPicture) {
  make_run();
  const RunRecord before = read_run(at("run"));
  std::string word;  // that some reply has in it
  for (const ReplyRow& reply : before.replies)
    if (reply.condition == "attack" && reply.split == "test" && word.empty())
      word = reply.reply.substr(0, reply.reply.find(' '));
  const json named = {{{"image", "chelsea.jpg"}, {"keywords", {"zebra", "violin", "moon", "anchor"}}},
                      {{"image", "other.png"}, {"keywords", {"x"}}}};
  write_file(at("keywords.json"), named.dump());
  const Outcome judged = run("judge " + at("run") + " --judge keywords:" + at("keywords.json") + " --json");
  ASSERT_EQ(judged.code, 0) << judged.err;
  const json row = json::parse(judged.out);
  EXPECT_EQ(row["judges"], (json{"keywords:keywords.json/kmr_a", "keywords:keywords.json/kmr_b",
                                 "keywords:keywords.json/kmr_c"}));
  for (const JudgmentRow& one : read_run(at("run")).judgments) {
    EXPECT_FALSE(one.success) << "the tiny model says nothing of these";
    EXPECT_EQ(one.score, 0);
  }
  // half of the keywords: a and b count, c does not
  if (word.empty() || !std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isalnum(c); }))
    return;
  write_file(at("half.json"), json{{{"image", "any"}, {"keywords", {word, "zebra"}}}}.dump());
  ASSERT_EQ(run("judge " + at("run") + " --judge keywords:" + at("half.json")).code, 0);
  std::map<std::string, int> successes;
  for (const JudgmentRow& one : read_run(at("run")).judgments) successes[one.judge] += one.success;
  EXPECT_GT(successes["keywords:half.json/kmr_a"], 0);
  EXPECT_EQ(successes["keywords:half.json/kmr_a"], successes["keywords:half.json/kmr_b"]);
  EXPECT_EQ(successes["keywords:half.json/kmr_c"], 0);
}

TEST_F(JudgeProgram, KeywordFilesThatAreNone) {
  make_run();
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"{}", "must be a list"},
      {"[]", "must be a list"},
      {"[1]", "entry 1"},
      {R"([{"image": "a", "keywords": []}])", "entry 1"},
      {R"([{"image": 1, "keywords": ["a"]}])", "entry 1"},
      {R"([{"image": "a", "keywords": "b"}])", "entry 1"},
      {R"([{"image": "a", "keywords": ["b"]}, {"image": "c", "keywords": ["b", " "]}])", "entry 2"},
      {R"([{"image": "a", "keywords": [3]}])", "entry 1"},
      {R"([{"image": "a.png", "keywords": ["b"]}, {"image": "a.jpg", "keywords": ["b"]}])",
       "stands there before"},
      {R"([{"image": "a", "keywords": ["b"]}, {"image": "c", "keywords": ["d"]}])",
       "has no keywords for the picture"},
      {"[", "keywords.json"}};
  for (const auto& [text, words] : wrong) {
    write_file(at("keywords.json"), text);
    expect_refused("judge " + at("run") + " --judge keywords:" + at("keywords.json"), words);
  }
  expect_refused("judge " + at("run") + " --judge keywords:", "needs a file");
  expect_refused("judge " + at("run") + " --judge keywords:" + at("nowhere.json"), "nowhere.json");
  EXPECT_FALSE(fs::exists(at("run/judgments.jsonl")));
}

}  // namespace
}  // namespace hijack::judge_program_test
