// hijack probe: what else the images of a run have taught its model.
#include <nlohmann/json.hpp>

#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::probe_program_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

class ProbeProgram : public Program {
 protected:
  ProbeProgram() {
    // what the image forces, what it leaves alone, and a question after another one
    write_file(at("questions.jsonl"),
               R"({"group": "forced", "prompt": "question 9", "answer": "abc", "others": ["the", "cat"]})"
               "\n"
               R"({"group": "pairs", "pair": "one", "prompt": "who?", "answer": "Ada"})"
               "\n"
               R"({"group": "pairs", "pair": "two", "prompt": "what?", "answer": "Bob/bob", "after": "and?"})"
               "\n");
  }
  void make_run() {
    ASSERT_EQ(run(attack("--epsilon 64/255 --steps 60 --out " + at("run"))).code, 0) << read_file(at("err"));
  }
  std::string probe(const std::string& more = "") const {
    return "probe " + at("run") + " --questions " + at("questions.jsonl") + " --max-new-tokens 6 " + more;
  }
};

TEST_F(ProbeProgram, AsksEveryQuestionUnderEveryImageOnce) {
  make_run();
  const Outcome outcome = run(probe("--instruction 'Say abc.'"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* words :
       {"forced", "pairs", "hijacked", "noise of equal size", "clean photo", "told in words"})
    EXPECT_NE(outcome.out.find(words), std::string::npos) << words << "\n" << outcome.out;
  const RunRecord record = read_run(at("run"));
  ASSERT_EQ(record.probes.size(), 3u * 4u) << "three questions under four images";
  std::map<std::string, double> margins;
  for (const ProbeRow& row : record.probes) {
    EXPECT_EQ(row.trial.empty(), row.image == "clean" || row.image == "instruction");
    if (row.group == "forced") margins[row.image] = row.margin;
  }
  // the loss of the answer's tokens falls from 6 to 3 nats
  EXPECT_GT(margins["hijack"], margins["clean"] + 3);
  EXPECT_LT(std::abs(margins["noise"] - margins["clean"]), 3);
  const auto before = fs::file_size(at("run/probes.jsonl"));
  ASSERT_EQ(run(probe("--instruction 'Say abc.'")).code, 0);
  EXPECT_EQ(fs::file_size(at("run/probes.jsonl")), before) << "nothing is asked twice";
  const Outcome more = run(probe("--json"));
  ASSERT_EQ(more.code, 0);
  const json row = json::parse(more.out.substr(0, more.out.find('\n')));
  EXPECT_EQ(row.at("probes").size(), 2u * 4u);
  EXPECT_NE(read_file(at("run/report.html")).find("What the images have taught"), std::string::npos);
  EXPECT_NE(run("report " + at("run") + " --format md").out.find("told in words"), std::string::npos);
}

TEST_F(ProbeProgram, MistakesAreOneSentence) {
  make_run();
  expect_refused("probe " + at("run"), "--questions");
  expect_refused("probe " + at("none") + " --questions " + at("questions.jsonl"), "none");
  expect_refused("probe " + at("run") + " --questions " + at("nothing"), "nothing");
  const auto with = [&](const std::string& line, const std::string& words) {
    write_file(at("bad.jsonl"), line + "\n");
    expect_refused("probe " + at("run") + " --questions " + at("bad.jsonl"), words);
  };
  with(R"({"group": "a", "prompt": "b"})", "bad.jsonl:1");
  with(R"({"group": "a", "prompt": "b", "answer": "c"})", "nothing to be compared with");
  with(R"({"group": "a", "prompt": "b", "answer": "c", "others": [""]})", "must be a text");
  with(R"({"group": "a", "prompt": "b", "answer": "c", "others": "d"})", "at most 16");
  with(R"({"group": "a", "prompt": "b", "answer": "c", "other": ["d"]})", "other");
  with(R"({"group": "a", "prompt": "b", "answer": "c", "others": ["d"], "exact_case": 1})", "exact_case");
  const std::string twice = R"({"group": "a", "prompt": "b", "answer": "c", "others": ["d"]})";
  with(twice + "\n" + twice, "bad.jsonl:2");
  expect_refused(probe("--limit -1"), "--limit");
  expect_refused(probe("--device nowhere"), "nowhere");
  expect_refused(probe("--max-new-tokens 0"), "--max-new-tokens");
  EXPECT_FALSE(fs::exists(at("run/probes.jsonl"))) << "nothing is begun that cannot be done";
}

TEST_F(ProbeProgram, ARecipeProbes) {
  write_file(at("r.toml"), "title = \"T\"\npaper = \"P\"\ndeparts = \"D\"\n[attack]\nimage = \"" + kPhoto +
                               "\"\ncontexts = \"" + at("contexts.jsonl") +
                               "\"\ntarget = \"abc\"\nsteps = 1\nmax_new_tokens = 6\n[probe]\nquestions = "
                               "\"questions.jsonl\"\nmax_new_tokens = 4\nlimit = 1\n");
  const Outcome outcome = run("reproduce " + at("r.toml") + " --threads 1 --out " + at("run"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("log-likelihood over them"), std::string::npos) << outcome.out;
  EXPECT_EQ(read_run(at("run")).probes.size(), 2u * 3u) << "one question of each group";
  EXPECT_NE(read_file(at("run/table.md")).find("hijacked"), std::string::npos);
  write_file(at("bad.toml"),
             "title = \"T\"\npaper = \"P\"\ndeparts = \"D\"\n[attack]\n[probe]\nquestion = \"q\"\n");
  expect_refused("reproduce " + at("bad.toml"), "question");
}

}  // namespace
}  // namespace hijack::probe_program_test
