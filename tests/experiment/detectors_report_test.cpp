// What the report says about detectors, adaptive attacks and damaged rows.
#include <gtest/gtest.h>

#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/sanity/sanity.h"
#include "tests/support/sample_run.h"

namespace hijack::detectors_report_test {
namespace {

using namespace report;

ReplyRow scored(const std::string& condition, double score, int context,
                const std::string& defense = "filter") {
  ReplyRow row;
  row.trial = "t";
  row.condition = condition;
  row.split = "test";
  row.context.prompt = "question " + std::to_string(context);
  row.defense = defense;
  row.rejected = score > 5;
  row.trace = {{defense, row.rejected, score, 5, "<b>note</b>"}};
  return row;
}

/// Benign scores 0.1 ... 10, ten of them in the alarm range; attacks all above all but the two largest.
RunRecord run_with_scores() {
  RunRecord run;
  run.folder = "run";
  for (int i = 1; i <= 100; ++i) run.replies.push_back(scored("clean", i <= 90 ? i / 100.0 : i / 10.0, i));
  for (int i = 1; i <= 20; ++i) run.replies.push_back(scored("text_suffix", 9.85, i));
  for (int i = 1; i <= 20; ++i) run.replies.push_back(scored("attack", i / 100.0, i));
  for (int i = 1; i <= 20; ++i) run.replies.push_back(scored("attack", 7, i, "outer + filter"));
  return run;
}

TEST(DetectorReport, CurvesSeparateTheAttacks) {
  const auto curves = detector_curves({run_with_scores()});
  ASSERT_EQ(curves.size(), 2u);  // a stack is no detector
  EXPECT_EQ(curves[0].attack, "image attack");
  EXPECT_LT(curves[0].auroc, 0.5);
  EXPECT_EQ(curves[0].detected.successes, 0);
  EXPECT_EQ(curves[1].attack, "text suffix");
  EXPECT_NEAR(curves[1].auroc, 0.98, 1e-9);
  EXPECT_EQ(curves[1].at_1_percent, 0);
  EXPECT_EQ(curves[1].at_5_percent, 1);
  EXPECT_EQ(curves[1].detected.successes, 20);
  EXPECT_EQ(curves[1].false_alarms.successes, 10);
  EXPECT_EQ(curves[1].false_alarms.n, 100);
}

TEST(DetectorReport, PageAndTablesShowThem) {
  const RunRecord run = run_with_scores();
  const std::string page = html_report({run});
  EXPECT_NE(page.find("ROC of filter"), std::string::npos);
  EXPECT_NE(page.find("text suffix, AUROC 0.98"), std::string::npos);
  EXPECT_EQ(page.find("<b>note</b>"), std::string::npos);
  EXPECT_NE(page.find("&lt;b&gt;note"), std::string::npos);
  EXPECT_NE(markdown_report({run}).find("| filter | text suffix | 0.98"), std::string::npos);
  const auto json = json_report({run});
  ASSERT_EQ(json.at("detectors").size(), 2u);
  EXPECT_NEAR(json["detectors"][1]["auroc"].get<double>(), 0.98, 1e-9);
}

size_t flags_named(const RunRecord& run, const std::string& name) {
  size_t found = 0;
  for (const Flag& flag : sanity_flags({run})) found += flag.name == name;
  return found;
}

TEST(DetectorReport, FlagsWeakAdaptiveAttacksAndDefensesThatRefuseEverybody) {
  RunRecord run;
  run.folder = "run";
  for (int i = 0; i < 40; ++i) {
    ReplyRow row = scored("attack", 1, i);
    row.exact = i < 30;
    run.replies.push_back(row);
    row.condition = "adaptive";
    row.exact = i < 20;
    run.replies.push_back(row);
    run.replies.push_back(scored("clean", 1, i));
  }
  EXPECT_EQ(flags_named(run, "adaptive below static"), 0u);  // 50 % against 75 %: the intervals overlap
  for (ReplyRow& row : run.replies)
    if (row.condition == "adaptive") row.exact = row.exact && row.context.prompt.ends_with('1');
  EXPECT_EQ(flags_named(run, "adaptive below static"), 1u);
  EXPECT_EQ(flags_named(run, "refuses everybody"), 0u);
  for (ReplyRow& row : run.replies)
    if (row.condition == "clean") row.rejected = true;
  EXPECT_EQ(flags_named(run, "refuses everybody"), 1u);
}

TEST(DetectorReport, FlagsBlackBoxesThatBeatGradientsAndCutRows) {
  RunRecord run;
  run.folder = "run";
  for (const char* optimizer : {"pgd", "square"}) {
    TrialRow row;
    row.id = optimizer;
    row.behavior = "string";
    row.constraint = "linf 8/255";
    row.constraint_name = "linf";
    row.epsilon_255 = 8;
    row.optimizer = optimizer;
    row.success["test"] = {40, row.optimizer == "square" ? 35 : 5, 35};
    support::give_identity(row);
    run.trials.push_back(row);
  }
  EXPECT_EQ(flags_named(run, "black box is stronger"), 1u);
  run.trials[1].setting["target"] = "something easier";
  run.trials[1].setting_digest = "another";
  EXPECT_EQ(flags_named(run, "black box is stronger"), 0u) << "another task";
  support::give_identity(run.trials[1]);
  run.trials[1].optimizer = "pgd (RGF)";
  support::give_identity(run.trials[1]);
  EXPECT_EQ(flags_named(run, "black box is stronger"), 1u) << "random directions are a black box, too";
  std::swap(run.trials[0].success, run.trials[1].success);
  EXPECT_EQ(flags_named(run, "black box is stronger"), 0u);
  run.damage = {"trials.jsonl:3: cut"};
  EXPECT_EQ(flags_named(run, "row cut off"), 1u);
}

TEST(DetectorReport, TrialsBehindADefenseAreSettingsOfTheirOwn) {
  RunRecord run;
  run.folder = "run";
  for (int i = 0; i < 2; ++i) {
    TrialRow row;
    row.id = i ? "adaptive" : "static";
    row.behavior = "string";
    row.constraint = "linf 8/255 (model input space)";
    row.success["test"] = {10, i ? 9 : 4, 9};
    if (i) row.defense = "jpeg:quality=75", row.adaptive = true;
    support::give_identity(row);
    run.trials.push_back(row);
  }
  const auto all = settings({run});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(setting_label(all[0]), "linf 8/255");
  EXPECT_EQ(setting_label(all[1]), "linf 8/255, adaptive to jpeg:quality=75");
  EXPECT_EQ(bare_settings({run}).size(), 1u);
  EXPECT_NE(headline({run}).find("40%"), std::string::npos) << headline({run});
}

}  // namespace
}  // namespace hijack::detectors_report_test
