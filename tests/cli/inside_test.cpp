// hijack inside: what detectors tell apart on behaviors and photos that they have not learned from.
#include <nlohmann/json.hpp>

#include "src/experiment/record/results.h"
#include "tests/support/small_runs.h"

namespace hijack::inside_program_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

class InsideProgram : public SmallRuns {
 protected:
  InsideProgram() : SmallRuns({{"train", 4}, {"validation", 2}, {"test", 16}, {"calibration", 30}}) {}
  /// Changes without bounds, so that a few steps change every reply. photos: their files; more: further
  /// blocks of the grid.
  void make_run(const std::string& photos, const std::string& more = "") {
    write_file(at("grid.toml"),
               "[attack]\nimage = [" + photos + "]\ncontexts = \"" + at("contexts.jsonl") + "\"\nmodel = \"" +
                   kRoot +
                   "/tests/golden/llava/siglip\"\nconstraint = \"box\"\nsteps = 4\nthreads = 1\n"
                   "max_new_tokens = 6\n[[grid]]\nbehavior = \"untargeted\"\n" +
                   more);
    ASSERT_EQ(run("run " + at("grid.toml") + " --out " + at("run")).code, 0) << read_file(at("err"));
  }
  std::string two() const { return "\"" + kPhoto + "\", \"" + kRoot + "/samples/images/coffee.png\""; }
  std::string inside(const std::string& more) const { return "inside " + at("run") + " --threads 1 " + more; }
};

TEST_F(InsideProgram, MeasuresOnWhatWasNotLearned) {
  make_run(two());
  const Outcome outcome =
      run(inside("--detector linear_probe --detector mahalanobis --detector perplexity --prompts 10"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* words : {"linear_probe, layer", "mahalanobis", "perplexity", "noise from clean (control)",
                            "labels shuffled (control)", "photo"})
    EXPECT_NE(outcome.out.find(words), std::string::npos) << words << "\n" << outcome.out;
  const RunRecord record = read_run(at("run"));
  const auto row = [&](const std::string& detector, const std::string& what) {
    for (const InsideRow& one : record.inside)
      if (one.detector.starts_with(detector) && one.what.starts_with(what) && one.behavior.empty())
        return one;
    ADD_FAILURE() << detector << " " << what;
    return InsideRow{};
  };
  // the change has no bounds, so that it shows inside of the model whatever it says
  EXPECT_GT(row("linear_probe", "hijack from clean and noise").auroc, 0.8);
  const InsideRow words = row("perplexity", "hijack from clean and noise");
  EXPECT_LT(words.low, 0.5 + 1e-9) << "the prompts are the same under all images";
  EXPECT_GT(words.high, 0.5 - 1e-9);
  EXPECT_EQ(words.held_out, "");
  const InsideRow shuffled = row("linear_probe", "hijack from clean and noise, labels shuffled");
  EXPECT_LT(shuffled.low, 0.5);
  EXPECT_GT(shuffled.high, 0.5);
  EXPECT_NE(read_file(at("run/report.html")).find("Looking inside the model"), std::string::npos);
  const Outcome again = run(inside("--detector linear_probe --prompts 8 --json"));
  ASSERT_EQ(again.code, 0) << again.err;
  const json rows = json::parse(again.out.substr(0, again.out.find('\n'))).at("inside");
  int probes = 0;
  for (const json& one : rows)
    probes += one.at("detector").get<std::string>().starts_with("linear_probe") && one.at("behavior") == "" &&
              one.at("what") == "hijack from clean and noise";
  EXPECT_EQ(probes, 1) << "what was measured last counts";
}

TEST_F(InsideProgram, OneBehaviorAndOnePhotoLeaveNothingToHoldOut) {
  make_run("\"" + kPhoto + "\"");
  expect_refused(inside("--detector linear_probe"), "one behavior and one photo");
  EXPECT_FALSE(fs::exists(at("run/inside.jsonl")));
}

TEST_F(InsideProgram, ABehaviorThatNothingElseTeachesIsSaidSo) {
  make_run(two(), "[[grid]]\nbehavior = \"string\"\ntarget = \"abc\"\n");
  expect_refused(inside("--detector linear_probe"), "nothing to learn from");
  EXPECT_FALSE(fs::exists(at("run/inside.jsonl")));
}

TEST_F(InsideProgram, MistakesAreOneSentence) {
  make_run(two());
  expect_refused(inside(""), "no detector");
  expect_refused(inside("--detector linear_prob"), "did you mean 'linear_probe'");
  expect_refused(inside("--detector jpeg"), "without scores");
  expect_refused(inside("--detector linear_probe --layer 9"), "no layer 9");
  expect_refused(inside("--detector linear_probe --detector linear_probe"), "twice");
  expect_refused(inside("--detector sae"), "--sae DIR");
  expect_refused(inside("--detector linear_probe --sae " + at("none")), "--detector sae");
  expect_refused(inside("--detector sae --sae " + at("none")), "none");
  expect_refused(inside("--detector linear_probe --prompts 1"), "--prompts");
  expect_refused(inside("--detector linear_probe --device nowhere"), "nowhere");
  expect_refused("inside " + at("none") + " --detector linear_probe", "none");
  EXPECT_FALSE(fs::exists(at("run/inside.jsonl"))) << "nothing is begun that cannot be done";
}

}  // namespace
}  // namespace hijack::inside_program_test
