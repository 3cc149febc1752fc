// hijack train detector: learns from a finished run, and what it wrote works as a defense of that model
// alone.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors_metadata.h"
#include "src/base/file.h"
#include "tests/support/small_runs.h"

namespace hijack::train_detector_test {
namespace {

using namespace support;

class TrainDetector : public SmallRuns {
 protected:
  TrainDetector() : SmallRuns({{"train", 4}, {"validation", 2}, {"test", 24}, {"calibration", 40}}) {}
  std::string train(const std::string& detector, const std::string& more = "") const {
    return "train detector " + detector + " --run " + at("run") + " --out " + at(detector + ".safetensors") +
           " " + more;
  }
};

TEST_F(TrainDetector, LearnsAndDefends) {
  make_run("run", "llava/siglip");
  for (const std::string name : {"unrelated_questions", "linear_probe", "mahalanobis"}) {
    const Outcome outcome = run(train(name, "--json"));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const auto row = nlohmann::json::parse(outcome.out.substr(0, outcome.out.find('\n')));
    EXPECT_EQ(row.at("kind"), "detector");
    EXPECT_EQ(row.at("rows").at(0).at("what"), "hijack from clean and noise");
    EXPECT_GT(row.at("rows").at(0).at("auroc").get<double>(), 0.9) << name;
    const auto has = [&](const std::string& key, const std::string& value) {
      return std::any_of(row.at("rows").begin(), row.at("rows").end(),
                         [&](const auto& one) { return one.at(key) == value; });
    };
    const bool asks = name == "unrelated_questions";
    EXPECT_EQ(has("what", "hijack's image with an honest reply, from clean (control)"), asks) << name;
    EXPECT_EQ(has("what", "forced reply over the clean photo, from clean (control)"), asks) << name;
    EXPECT_EQ(has("features", "yes or no only"), asks) << name;
    const auto shuffled = std::find_if(row.at("rows").begin(), row.at("rows").end(), [](const auto& one) {
      return one.at("what").template get<std::string>().find("shuffled") != std::string::npos;
    });
    ASSERT_NE(shuffled, row.at("rows").end());
    EXPECT_LT(shuffled->at("low").get<double>(), 0.5) << name;
    EXPECT_GT(shuffled->at("high").get<double>(), 0.5) << name;
    EXPECT_EQ(load_safetensors_metadata(at(name + ".safetensors")).at("detector"), name);
  }
  // one photo is little to learn from: a probe knows it and no other, the contrast of two Gaussians does
  const std::string defended = " --defense mahalanobis:trained=" + at("mahalanobis.safetensors") +
                               " --false-positive-rate 0.05 --utility 0 --threads 1";
  const Outcome outcome = run("evaluate " + at("run") + defended + " --adaptive");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  int64_t attacks = 0, found = 0, adaptive = 0;
  std::istringstream rows(read_file(at("run/replies.jsonl")));
  for (std::string line; std::getline(rows, line);) {
    const auto row = nlohmann::json::parse(line);
    if (row.at("defense") == "none") continue;
    EXPECT_EQ(row.at("defense").get<std::string>().find(at("")), std::string::npos)
        << "no path of this machine";
    if (row.at("condition") == "attack") ++attacks, found += row.at("rejected").get<bool>();
    adaptive += row.at("condition") == "adaptive";
  }
  EXPECT_GT(attacks, 0);
  EXPECT_EQ(found, attacks);
  EXPECT_GT(adaptive, 0);
}

TEST_F(TrainDetector, TestsOnAnotherRunAndChosenLayer) {
  make_run("run", "llava/siglip");
  make_run("other", "llava/siglip");
  const Outcome outcome = run(train("linear_probe", "--layer 2 --test-run " + at("other")));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("layer 2"), std::string::npos);
  EXPECT_EQ(load_safetensors_metadata(at("linear_probe.safetensors")).at("layer"), "2");
}

TEST_F(TrainDetector, MistakesAreOneSentenceAndLeaveNoFile) {
  make_run("run", "llava/siglip");
  make_run("lists", "llava/lists");
  expect_refused(train("linear_prob"), "did you mean 'linear_probe'");
  expect_refused(train("linear_probe", "--layer 3"), "no layer 3");
  expect_refused(train("linear_probe", "--test-run " + at("lists")), "another model");
  expect_refused(train("linear_probe", "--run " + at("none")), "none");
  expect_refused(train("hidden_detect", "--refused " + at("contexts.jsonl") + " --run " + at("none")),
                 "none");
  write_file(at("few.jsonl"), R"({"prompt": "x", "split": "test"})"
                              "\n");
  expect_refused(train("hidden_detect", "--refused " + at("few.jsonl")), "at least 4");
  for (const char* name : {"linear_probe", "hidden_detect"})
    EXPECT_FALSE(std::filesystem::exists(at(std::string(name) + ".safetensors"))) << name;
  ASSERT_EQ(run(train("linear_probe")).code, 0);
  const std::string spec = " --defense linear_probe:trained=" + at("linear_probe.safetensors");
  expect_refused("evaluate " + at("lists") + spec + " --false-positive-rate 0.05",
                 "trained on another model");
  expect_refused("evaluate " + at("run") + " --defense linear_probe", "hijack train detector linear_probe");
  expect_refused("evaluate " + at("run") + " --defense linear_probe:trained=" + kPhoto, "chelsea.png");
}

TEST_F(TrainDetector, FewExamplesAreCounted) {
  std::string lines;
  for (const char* split : {"train", "train", "validation", "test", "test", "test"})
    lines +=
        nlohmann::json({{"prompt", "q " + std::to_string(lines.size())}, {"split", split}}).dump() + "\n";
  write_file(at("contexts.jsonl"), lines);
  make_run("run", "llava/siglip");
  expect_refused(train("linear_probe"), "at least 10 of each");
}

}  // namespace
}  // namespace hijack::train_detector_test
