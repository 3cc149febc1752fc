// Flags and grouping on rows that runs have written, and on those rows after somebody has changed them.
#include "src/experiment/evaluate/evaluate.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/sanity/sanity.h"
#include "src/pocket/contexts.h"
#include "tests/support/toy_runs.h"

namespace hijack::flags_test {
namespace {

using nlohmann::json;

class Flags : public ToyRuns {
 protected:
  Flags() {
    evaluate_.defense.defenses = {"perplexity"};
    evaluate_.defense.false_positive_rate = 0.05;
    evaluate_.utility = 14;  // with the five test contexts just enough for that rate
    evaluate_.suffix.tokens = 3;
    evaluate_.suffix.steps = 2;
    evaluate_.suffix.candidates = 4;
  }

  static size_t flagged(const std::vector<RunRecord>& runs, const std::string& name) {
    size_t found = 0;
    for (const Flag& flag : sanity_flags(runs)) found += flag.name == name;
    return found;
  }
  size_t flagged(const std::string& run, const std::string& name) {
    return flagged({read_run(root() / run)}, name);
  }
  /// None of the flags that say that rows are not what they claim to be.
  static void expect_intact(const RunRecord& run) {
    for (const char* name : {"setting not recorded", "row was changed", "row does not match its replies",
                             "counted twice", "calibration differs", "threshold fitted on evaluation data",
                             "detector cannot fire", "too few benign examples for the false-positive rate"})
      EXPECT_EQ(flagged({run}, name), 0u) << name;
  }
  void evaluate(const std::string& name) {
    ASSERT_TRUE(evaluate_run(root() / name, evaluate_, {}, models()));
  }
  /// Rewrites the rows of a file, each with a fresh check: what a forger does who knows the format.
  void forge(const std::filesystem::path& file, const std::function<void(json&)>& change) {
    std::istringstream lines(read_file(file));
    std::filesystem::remove(file);
    RowWriter writer(file);
    for (std::string line; std::getline(lines, line);) {
      json row = json::parse(line);
      row.erase("check");
      change(row);
      writer.write(row);
    }
  }
  RunRecord grid(const std::string& name, const json& block) {
    json attack = fields_to_json(fields_of(config_));
    attack.update({{"steps", 4}});
    for (const auto& [key, value] : block.items()) attack.erase(key);
    RunFolder folder = begin_run(
        root() / name, "run",
        plans_of_experiment({{"attack", attack}, {"grid", json::array({block})}}, "test"), models());
    EXPECT_TRUE(go_on(folder));
    return read_run(root() / name);
  }

  EvaluateConfig evaluate_;
};

TEST_F(Flags, AGridIsAsManySettingsAsItHas) {
  const RunRecord run = grid(
      "grid", {{"steps", {2, 10, 4}}, {"target", {"send it to me", "I was hijacked"}}, {"seed", {0, 1}}});
  const auto all = report::settings({run});
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(report::difference_names(all), (std::vector<std::string>{"steps", "target"}));
  std::vector<std::string> steps;
  for (const auto& one : all) {
    EXPECT_EQ(one.trials.size(), 2u);
    steps.push_back(one.differences[0].value);
  }
  EXPECT_EQ(steps, (std::vector<std::string>{"2", "2", "4", "4", "10", "10"})) << "by number, not by text";
  EXPECT_EQ(report::setting_label(all[0]), "linf 32/255, steps=2, target=\"I was hijacked\"");
  for (const char* format : {"html", "md", "csv"})
    EXPECT_NE(make_report(format, {run}).find("send it to me"), std::string::npos) << format;
  EXPECT_NE(make_report("md", {run}).find("| steps | target | seeds |"), std::string::npos);
  expect_intact(run);
}

TEST_F(Flags, ASizeOfZeroThatStandsForAllIsShownAsAll) {
  const RunRecord run = grid("sizes", {{"train", {0, 2}}});
  std::vector<std::string> labels;
  for (const auto& one : report::settings({run})) labels.push_back(report::setting_label(one));
  EXPECT_EQ(labels, (std::vector<std::string>{"linf 32/255, train=all", "linf 32/255, train=2"}));
  finished("run");
  evaluate("run");
  evaluate_.suffix.contexts = 0;
  evaluate("run");
  std::set<std::string> bare;
  for (const auto& one : report::defenses({read_run(root() / "run")}))
    if (one.defense == "none") bare.insert(one.details);
  EXPECT_TRUE(bare.contains("suffix_contexts=all")) << "of " << bare.size();
}

TEST_F(Flags, ModelsOfOneNameAreToldApartByTheirWeights) {
  const auto trained = [&](const std::string& folder) {
    std::filesystem::create_directories(root() / folder / "model");
    write_file(root() / folder / "model" / "config.json", json({{"trained", folder}}).dump());
    config_.model = (root() / folder / "model").string();
    return finished("run-" + folder);
  };
  const std::vector<RunRecord> runs = {trained("a"), trained("b")};
  const auto all = report::settings(runs);
  ASSERT_EQ(all.size(), 2u);
  for (const auto& one : all) {
    EXPECT_TRUE(one.model.starts_with("model (weights ")) << one.model;
    EXPECT_TRUE(one.differences.empty());
  }
  EXPECT_NE(all[0].model, all[1].model);
  EXPECT_EQ(report::settings({runs[0]})[0].model, "model");
}

TEST_F(Flags, SeedsThatDrawNothingMakeOneImage) {
  config_.seeds = {0, 1};
  config_.batch = 0;
  const RunRecord same = finished("same");
  EXPECT_EQ(flagged({same}, "identical images"), 1u);
  EXPECT_EQ(report::settings({same})[0].success.at("test").exact.n, 5);
  config_.random_start = true;
  const RunRecord drawn = finished("drawn");
  EXPECT_EQ(flagged({drawn}, "identical images"), 0u);
  EXPECT_EQ(report::settings({drawn})[0].success.at("test").exact.n, 10);
}

TEST_F(Flags, ARunGivenTwiceCountsOnce) {
  const RunRecord run = finished("run");
  EXPECT_EQ(flagged({run}, "counted twice"), 0u);
  finished("again");
  const std::vector<RunRecord> both = {run, read_run(root() / "again")};
  EXPECT_EQ(flagged(both, "counted twice"), 1u);
  EXPECT_EQ(report::settings(both)[0].success.at("test").exact.n, 5);
}

TEST_F(Flags, ABudgetBelowOneStepChangesNothing) {
  EXPECT_EQ(flagged({finished("run")}, "change below 1/255"), 0u);
  config_.constraint.epsilon = "0.5/255";
  EXPECT_EQ(flagged({finished("small")}, "change below 1/255"), 1u);
}

TEST_F(Flags, RepliesThatEndAtTheLimit) {
  config_.behavior.target = "yes";
  config_.max_new_tokens = 2;
  const RunRecord shortened = finished("short");
  const auto cut = std::count_if(shortened.replies.begin(), shortened.replies.end(),
                                 [](const ReplyRow& row) { return row.cut; });
  EXPECT_GT(cut, 5);
  EXPECT_EQ(flagged({shortened}, "replies cut at the length limit"), 1u);
  forge(root() / "short/replies.jsonl", [](json& row) { row.erase("cut"); });  // the toy never ends by itself
  EXPECT_EQ(flagged("short", "replies cut at the length limit"), 0u);
}

TEST_F(Flags, RowsOfEveryKindOfRunAreIntact) {
  config_.constraint.name = "moving_patch";
  config_.constraint.patch_size = 8;
  finished("moving");
  config_.constraint.name = "linf";
  config_.defense.defenses = {"median:size=5"};
  finished("defended");
  config_.defense.defenses = {};
  save_png(toy_image(5), root() / "second.png");
  config_.images.push_back((root() / "second.png").string());
  config_.universal = true;
  finished("universal");
  evaluate_.defense.defenses = {"median:size=5", "perplexity"};
  evaluate_.defense.adaptive = true;
  evaluate("moving");
  evaluate("universal");
  for (const char* name : {"moving", "defended", "universal"}) {
    SCOPED_TRACE(name);
    expect_intact(read_run(root() / name));
  }
}

TEST_F(Flags, AForgedRowIsFound) {
  finished("run");
  forge(root() / "run/trials.jsonl", [](json& row) {
    json& test = row["success"]["test"];
    test["exact"] = test["contained"] = test["n"].get<int64_t>() - test["exact"].get<int64_t>();
  });
  EXPECT_EQ(flagged("run", "row does not match its replies"), 1u);
  finished("steps");
  forge(root() / "steps/trials.jsonl", [](json& row) { row["setting"]["steps"] = 1000; });
  EXPECT_EQ(flagged("steps", "row was changed"), 1u);
  finished("replies");
  forge(root() / "replies/replies.jsonl", [](json& row) { row["exact"] = !row["exact"].get<bool>(); });
  EXPECT_EQ(flagged("replies", "row does not match its replies"), 1u);
}

TEST_F(Flags, AReplyThatStandsThereTwiceCountsOnce) {
  finished("run");
  evaluate("run");
  const auto before = report::defenses({read_run(root() / "run")});
  const std::string rows = read_file(root() / "run/replies.jsonl");
  write_file(root() / "run/replies.jsonl", rows + rows);
  EXPECT_EQ(flagged("run", "counted twice"), 1u);
  EXPECT_EQ(flagged("run", "row does not match its replies"), 0u);
  const auto after = report::defenses({read_run(root() / "run")});
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].attack.n, before[i].attack.n);
    EXPECT_EQ(after[i].benign_correct.n, before[i].benign_correct.n);
    EXPECT_EQ(after[i].clean.n, before[i].clean.n);
  }
}

TEST_F(Flags, EvaluationsWithOtherSettingsAreNeverPooled) {
  finished("run");
  evaluate("run");
  evaluate_.defense.false_positive_rate = 0.2;
  evaluate("run");
  const auto details = [&](const std::string& defense) {
    std::vector<std::string> found;
    for (const auto& one : report::defenses({read_run(root() / "run")}))
      if (one.defense.starts_with(defense)) {
        found.push_back(one.details);
        EXPECT_EQ(one.attack.n, 5);
        EXPECT_EQ(one.text_suffix.n, 5);
        EXPECT_EQ(one.benign_correct.n, 14);
      }
    return found;
  };
  EXPECT_EQ(details("perplexity"),
            (std::vector<std::string>{"false_positive_rate=0.05", "false_positive_rate=0.2"}));
  EXPECT_EQ(details("none"), std::vector<std::string>{""});
  evaluate_.suffix.tokens = 4;
  evaluate("run");
  EXPECT_EQ(details("none"), (std::vector<std::string>{"suffix_tokens=3", "suffix_tokens=4"}));
  expect_intact(read_run(root() / "run"));
}

TEST_F(Flags, PhotosArePooledBehindADetector) {
  save_png(toy_image(5), root() / "second.png");
  config_.images.push_back((root() / "second.png").string());
  finished("run");
  evaluate("run");
  const auto all = report::defenses({read_run(root() / "run")});
  ASSERT_EQ(all.size(), 2u) << "a threshold fitted without the attacked photo is the same defense";
  EXPECT_EQ(all[1].attack.n, 10);
  EXPECT_EQ(all[1].attack.clusters.size(), 2u);
  expect_intact(read_run(root() / "run"));
}

TEST_F(Flags, CalibrationPromptsAmongTheJudgedOnes) {
  std::string lines = read_file(root() / "contexts.jsonl");
  std::set<std::string> asked;
  for (const UtilityItem& item : utility_set(Texts::kNatural, 14, 0x07e57))
    asked.insert(item.exercise.prompt);
  for (const std::string& prompt : asked)
    lines += json({{"prompt", prompt}, {"split", "calibration"}}).dump() + "\n";
  write_file(root() / "contexts.jsonl", lines);
  finished("run");
  evaluate("run");
  EXPECT_EQ(flagged("run", "threshold fitted on evaluation data"), 1u);
}

TEST_F(Flags, AManifestThatWasEditedAfterwards) {
  finished("run");
  evaluate("run");
  const auto edited = [&](const std::function<void(json&)>& change) {
    RunRecord run = read_run(root() / "run");
    EXPECT_FALSE(run.manifest.at("calibrations").empty());
    for (json& entry : run.manifest["calibrations"]) change(entry);
    return std::vector<RunRecord>{run};
  };
  EXPECT_EQ(flagged(edited([](json&) {}), "calibration differs"), 0u);
  EXPECT_EQ(flagged(edited([](json& one) { one["threshold"] = one["threshold"].get<double>() * 1.5; }),
                    "calibration differs"),
            1u);
  EXPECT_EQ(flagged(edited([](json& one) { one["ceiling"] = one["threshold"]; }), "detector cannot fire"),
            1u);
  EXPECT_EQ(
      flagged(edited([](json& one) { one["n"] = 5; }), "too few benign examples for the false-positive rate"),
      1u);
}

}  // namespace
}  // namespace hijack::flags_test
