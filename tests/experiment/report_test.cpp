#include "src/experiment/report/report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "attacks/behavior.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/sha256.h"
#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/page/svg.h"
#include "src/experiment/report/values/text.h"
#include "tests/support/sample_run.h"

namespace hijack::report_test {
namespace {

namespace fs = std::filesystem;

class Report : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::temp_directory_path() / ("hijack_report_" + std::string(info->name()) + std::to_string(getpid()));
  }
  void TearDown() override { fs::remove_all(folder_); }

  static size_t count(const std::string& text, const std::string& part) {
    size_t found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
      ++found;
    return found;
  }
  static bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  fs::path folder_;
};

TEST_F(Report, OneTrialShowsItsNumbers) {
  const std::string page = html_report({support::small_run(folder_)});
  EXPECT_TRUE(contains(page,
                       "One image made pocket obey (string) in 93% of 60 held-out replies within linf 8/255; "
                       "clean image 0%, random noise 0%."));
  EXPECT_TRUE(contains(page, "56/60"));
  EXPECT_TRUE(contains(page, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"));
  EXPECT_EQ(count(page, "<img "), 5u) << "clean and adversarial first; both and their difference below";
  EXPECT_EQ(count(page, "<img alt=\""), 5u);
  for (const char* id : {"threat-model", "trial", "defenses", "flags", "manifest"})
    EXPECT_TRUE(contains(page, "<section id=\"" + std::string(id) + "\">")) << id;
  EXPECT_TRUE(contains(page, "48 more held-out contexts"));
  EXPECT_LT(page.find("id=\"threat-model\""), page.find("id=\"trial\""));
}

TEST_F(Report, BeginsWithBothPicturesOneQuestionAndTwoReplies) {
  const std::string page = html_report({support::small_run(folder_)});
  const std::string look = page.substr(0, page.find("id=\"threat-model\""));
  ASSERT_TRUE(contains(look, "class=\"look\""));
  EXPECT_EQ(count(look, "<img "), 2u);
  // the first context gets a reply that only contains the target: the second is the first that is turned
  EXPECT_TRUE(contains(look, "<q>In one sentence, describe the sky.</q>"));
  EXPECT_TRUE(contains(look, "Question 2 of 60 held out, the first that only the adversarial image turns."));
  EXPECT_LT(look.find("<q>A sunset over calm water"), look.find("<q>Visit example.org today!</q>"));
  EXPECT_TRUE(contains(look, "<b class=\"rate\">93%</b> of 60 held-out replies obey"));
}

TEST_F(Report, RepliesAreReadByDefense) {
  const std::string page = html_report({support::small_run(folder_)});
  EXPECT_TRUE(contains(page, "Every reply, by defense: 60 held-out questions"));
  EXPECT_TRUE(contains(page, "Every reply to benign questions, by defense: 60"));
  EXPECT_TRUE(contains(page, "image obeyed: undefended yes, behind 2 of 2 defenses"))
      << "the second question";
  EXPECT_TRUE(contains(page, "image obeyed: undefended yes, behind 1 of 2 defenses")) << "the third";
  const size_t third = page.find("behind 1 of 2 defenses");
  const std::string fold = page.substr(third, page.find("</details>", third) - third);
  EXPECT_TRUE(contains(fold, "data-label=\"Behind\">no defense, perplexity</td>"));
  EXPECT_TRUE(contains(fold, "data-label=\"Behind\">jpeg:quality=75</td>"));
}

TEST_F(Report, TargetsOfContextsStandForTheCommonOne) {
  RunRecord run = support::small_run(folder_);
  const auto threat = [&] {
    const std::string page = html_report({run});
    const size_t from = page.find("id=\"threat-model\"");
    return page.substr(from, page.find("Allowed change", from) - from);
  };
  EXPECT_FALSE(contains(threat(), "each context's own"));
  for (ReplyRow& reply : run.replies)
    if (reply.condition == "attack") reply.target = "Of its own";
  EXPECT_TRUE(contains(threat(), "each context's own, such as <q>Of its own</q>"));
}

TEST_F(Report, TrialsAreAnIndexWithOneOpen) {
  const std::string page = html_report({support::sweep_run(folder_)});
  EXPECT_EQ(count(page, "<a href=\"#trial-"), 72u);
  EXPECT_EQ(count(page, "<details class=\"trial\" name=\"trial\""), 72u);
  EXPECT_EQ(count(page, "<details class=\"trial\" name=\"trial\" open>"), 1u);
  EXPECT_EQ(count(page, "class=\"body\" id=\"trial-"), 72u);
}

TEST_F(Report, IsAPureFunctionOfTheRows) {
  const RunRecord run = support::small_run(folder_);
  EXPECT_EQ(html_report({run}), html_report({read_run(folder_)}));
}

/// 'sha256-…' of the text between two marks, as a policy names it.
std::string hash_between(const std::string& page, const std::string& from, const std::string& to) {
  const size_t start = page.find(from) + from.size();
  const std::string digits = sha256(page.substr(start, page.find(to, start) - start));
  std::string bytes;
  for (size_t i = 0; i < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return "'sha256-" + base64(bytes) + "'";
}

TEST_F(Report, NeedsNoNetworkAndHasOneScriptOfItsOwn) {
  const std::string page = html_report({support::small_run(folder_), support::sweep_run(folder_ / "sweep")});
  for (const char* forbidden : {"http://", "https://", "@import", "<link", "url(", "<iframe", " style=\""})
    EXPECT_FALSE(contains(page, forbidden)) << forbidden;
  EXPECT_EQ(count(page, "<script"), 1u);
  EXPECT_EQ(count(page, "<style"), 1u);
  // no other may run: the policy knows both by their content, and allows nothing in attributes
  EXPECT_TRUE(contains(page, "default-src 'none'; img-src data:; style-src " +
                                 hash_between(page, "<style>", "</style>") + "; script-src " +
                                 hash_between(page, "<script>", "</script>") + ";"));
  EXPECT_FALSE(contains(page, "unsafe-"));
}

TEST_F(Report, HostileTextStaysText) {
  const std::vector<RunRecord> runs{support::hostile_run(folder_)};
  const std::string page = html_report(runs);
  for (const char* forbidden :
       {"<b>x", "onerror=alert(1)>", "<svg onload", "<!-- ", "\xff", "\x01", "\xe2\x80\xae"})
    EXPECT_FALSE(contains(page, forbidden)) << forbidden;
  EXPECT_EQ(count(page, "<script"), 1u);
  EXPECT_EQ(hash_between(page, "<script>", "</script>"),
            hash_between(html_report({support::small_run(folder_ / "tame")}), "<script>", "</script>"))
      << "our own, and nothing that a row brought";
  EXPECT_TRUE(contains(page, "&lt;script&gt;"));
  EXPECT_TRUE(contains(page, "[U+202E]"));
  EXPECT_TRUE(contains(page, "not shown: the file is missing"));
  const std::string markdown = markdown_report(runs);
  EXPECT_FALSE(contains(markdown, "<script"));
  EXPECT_FALSE(contains(markdown, "<svg"));
  EXPECT_NO_THROW(make_report("json", runs));
  EXPECT_NO_THROW(make_report("csv", runs));
}

TEST_F(Report, PicturesOutsideTheFolderAreNotRead) {
  RunRecord run = support::small_run(folder_ / "run");
  fs::copy_file(folder_ / "run/images/sample.png", folder_ / "secret.png");
  fs::create_symlink(folder_ / "secret.png", folder_ / "run/images/link.png");
  run.trials[0].image_file = "images/link.png";
  EXPECT_TRUE(contains(html_report({run}), "outside the run folder"));
}

TEST_F(Report, SweepShowsCurvesAndSettings) {
  const std::vector<RunRecord> runs{support::sweep_run(folder_)};
  const std::string page = html_report(runs);
  EXPECT_TRUE(contains(page, "Over 24 settings"));
  EXPECT_TRUE(contains(page, "72 trials"));
  EXPECT_EQ(count(page, "whiskers: 95% interval.</figcaption>"), 2u) << "epsilon and patch size";
  EXPECT_EQ(report::settings(runs).size(), 24u);
}

TEST_F(Report, SettingsPoolSeeds) {
  const std::vector<RunRecord> runs{support::sweep_run(folder_)};
  for (const report::Setting& setting : report::settings(runs)) {
    EXPECT_EQ(setting.trials.size(), 3u);
    EXPECT_EQ(setting.seed_rates.size(), 3u);
    int64_t exact = 0;
    for (const report::TrialRef& ref : setting.trials) exact += ref.trial->success.at("test").exact;
    EXPECT_EQ(setting.success.at("test").exact.successes, exact);
    EXPECT_EQ(setting.success.at("test").exact.n, 180);
    EXPECT_EQ(setting.success.at("test").exact.clusters.size(), 3u);
    EXPECT_EQ(setting.controls.at("clean").exact.n, 60) << "the clean image does not depend on the seed";
    EXPECT_EQ(setting.controls.at("noise").exact.n, 180);
  }
}

TEST_F(Report, ATrialOutsideItsBudgetCountsAsFailed) {
  RunRecord run = support::small_run(folder_);
  run.trials[0].budget = {9, 0, false};
  EXPECT_EQ(report::settings({run})[0].success.at("test").exact.successes, 0);
  EXPECT_TRUE(contains(html_report({run}), "obey (string) in 0% of 60"));
  EXPECT_TRUE(contains(html_report({run}), "budget violated"));
}

TEST_F(Report, EveryBehaviorIsReported) {
  RunRecord run = support::small_run(folder_);
  for (const std::string& name : behavior_names()) {
    run.trials[0].behavior = name;
    EXPECT_TRUE(contains(make_report("html", {run}), name)) << name;
    EXPECT_TRUE(contains(make_report("md", {run}), name)) << name;
  }
}

TEST_F(Report, ImagesShownToOtherModelsHaveRowsOfTheirOwn) {
  RunRecord run = support::small_run(folder_);
  run.trials[0].transfer["sister"] = {{"attack", {50, 7, 9}}, {"clean", {50, 0, 0}}, {"noise", {50, 1, 1}}};
  EXPECT_EQ(to_json(trial_from_json(to_json(run.trials[0]), "here")), to_json(run.trials[0]));
  const auto all = report::settings({run});
  const auto rows = report::transfers(all);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_TRUE(rows[0].optimized);
  EXPECT_EQ(rows[0].attack.n, 60);
  EXPECT_FALSE(rows[1].optimized);
  EXPECT_EQ(rows[1].model, "sister");
  EXPECT_EQ(rows[1].attack.successes, 7);
  EXPECT_TRUE(contains(make_report("html", {run}), "Shown to"));
  EXPECT_TRUE(contains(make_report("md", {run}), "| sister |"));
  EXPECT_TRUE(contains(make_report("csv", {run}), "transfer to sister attack exact"));
  run.trials[0].model = "pocket + sister";
  const auto ensemble = report::settings({run});
  EXPECT_TRUE(report::transfers(ensemble)[1].optimized) << "it was one of the models";
  run.trials[0].budget.respected = false;
  const auto outside = report::settings({run});
  EXPECT_EQ(report::transfers(outside)[1].attack.successes, 0);
}

TEST_F(Report, DefensesAreComparedInPairs) {
  const std::vector<RunRecord> runs{support::small_run(folder_)};
  const std::vector<report::DefenseSummary> all = report::defenses(runs);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].defense, "none");
  EXPECT_FALSE(all[0].attack_change.has_value());
  int only_before = 0, only_after = 0;
  for (int i = 0; i < 60; ++i) {
    const bool before = i % 15 != 0, after = i % 6 == 1;
    only_before += before && !after;
    only_after += after && !before;
  }
  EXPECT_EQ(all[1].defense, "jpeg:quality=75");
  EXPECT_EQ(all[1].attack.successes, 10);
  EXPECT_NEAR(*all[1].attack_change, (only_after - only_before) / 60.0, 1e-12);
  EXPECT_NEAR(*all[1].attack_p, mcnemar_exact(only_before, only_after), 1e-15);
  EXPECT_NEAR(*all[2].attack_change, 0, 1e-12);
  EXPECT_EQ(*all[2].attack_p, 1.0);
  EXPECT_EQ(all[2].text_suffix.successes, 2);
  EXPECT_EQ(all[2].clean_kept.successes, 59);
  EXPECT_EQ(all[2].benign_rejected.successes, 2);
  EXPECT_EQ(all[2].benign_rejected.n, 120);
  EXPECT_NEAR(all[2].seconds_per_reply, 0.16, 1e-12);
}

TEST_F(Report, AnEvaluationDoneTwiceCountsOnce) {
  RunRecord run = support::small_run(folder_);
  const auto once = report::defenses({run});
  std::vector<ReplyRow> again;
  for (const ReplyRow& row : run.replies)
    if (row.condition != "benign") again.push_back(row);
  run.replies.insert(run.replies.end(), again.begin(), again.end());
  const auto twice = report::defenses({run});
  EXPECT_EQ(once[1].attack.n, twice[1].attack.n);
  EXPECT_EQ(once[1].benign_correct.n, twice[1].benign_correct.n);
}

TEST_F(Report, RunsWithoutTrialsOrRepliesAreReported) {
  fs::create_directories(folder_);
  const RunRecord empty{folder_, nlohmann::json::object(), {}, {}, {}, {}};
  EXPECT_TRUE(contains(html_report({empty}), "No trial has finished yet."));
  TrialRow bare;
  bare.id = "bare";
  bare.losses = {std::nan(""), std::nan("")};
  bare.loss_clean = bare.loss_saved = bare.epsilon_255 = std::nan("");
  const RunRecord one{folder_, nlohmann::json::object(), {bare}, {}, {}, {}};
  for (const char* format : {"html", "md", "json", "csv", "latex"})
    EXPECT_FALSE(make_report(format, {one}).empty());
  EXPECT_FALSE(contains(html_report({one}), "nan"));
  EXPECT_THROW(make_report("pdf", {one}), Error);
}

TEST_F(Report, CsvAndJsonAgree) {
  const std::vector<RunRecord> runs{support::small_run(folder_)};
  const nlohmann::json json = json_report(runs);
  EXPECT_EQ(json["settings"][0]["success"]["test"]["exact"]["successes"], 56);
  EXPECT_EQ(json["defenses"].size(), 3u);
  const std::string csv = csv_report(runs);
  EXPECT_TRUE(contains(csv,
                       "settings,\"pocket\",\"string\",\"linf 8/255 (model input "
                       "space)\",\"pgd\",\"\",8.0,0,\"none\",\"test exact\",56,60,"));
  EXPECT_TRUE(contains(csv, "defenses,,,\"\",,\"\",,,\"jpeg:quality=75\",\"attack\",10,60,"));
}

TEST(ReportText, NumbersReadWell) {
  using namespace report;
  EXPECT_EQ(percent(0.934), "93%");
  EXPECT_EQ(percent(1.0), "100%");
  EXPECT_EQ(percent(0.0), "0%");
  EXPECT_EQ(percent(0.998), "99.8%");
  EXPECT_EQ(percent(0.004), "0.4%");
  EXPECT_EQ(percent(0.9999), "> 99.9%");
  EXPECT_EQ(percent(0.0001), "< 0.1%");
  EXPECT_EQ(percent(std::nan("")), "–");
  EXPECT_EQ(points(-0.41), "−41 pp");
  EXPECT_EQ(points(0.0), "±0 pp");
  EXPECT_EQ(decimal(8), "8");
  EXPECT_EQ(decimal(0.4721), "0.472");
  EXPECT_EQ(decimal(12.34), "12.3");
  EXPECT_EQ(p_value(0.00004), "< 0.001");
  EXPECT_EQ(p_value(0.0213), "0.021");
  EXPECT_EQ(duration(141.5), "2 min 22 s");
  EXPECT_EQ(duration(7384), "2 h 3 min");
  EXPECT_EQ(base64("M"), "TQ==");
  EXPECT_EQ(base64("Ma"), "TWE=");
  EXPECT_EQ(base64("Man"), "TWFu");
}

TEST(ReportText, HostileTextIsMadeVisible) {
  using namespace report;
  EXPECT_EQ(html("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  EXPECT_EQ(clean_text("a\xff"
                       "b"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(clean_text(std::string_view("\0", 1)), "\xE2\x90\x80");
  EXPECT_EQ(clean_text("\xed\xa0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "surrogates are not UTF-8";
  EXPECT_EQ(clean_text("\xc0\xaf"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "overlong";
  EXPECT_EQ(clean_text("日本", 1), "日… (1 more characters)");
  EXPECT_EQ(markdown("a|b\n`c`"), "a\\|b \\`c\\`");
  EXPECT_EQ(csv("=cmd()"), "\"'=cmd()\"");
  EXPECT_EQ(csv("a\"b"), "\"a\"\"b\"");
}

TEST(SvgAxes, TicksAreRoundAndInside) {
  EXPECT_EQ(nice_ticks(0, 4.4, false), (std::vector<double>{0, 1, 2, 3, 4}));
  EXPECT_EQ(nice_ticks(0, 300, false), (std::vector<double>{0, 100, 200, 300}));
  EXPECT_EQ(nice_ticks(0.001, 10, true), (std::vector<double>{0.001, 0.01, 0.1, 1, 10}));
  EXPECT_EQ(nice_ticks(0.2, 3, true), (std::vector<double>{0.2, 0.5, 1, 2}));
  EXPECT_EQ(nice_ticks(1, 1, false), std::vector<double>{1});
  const Axis axis{1, 32, true, 100, 200};
  EXPECT_NEAR(axis(1), 100, 1e-9);
  EXPECT_NEAR(axis(32), 200, 1e-9);
  EXPECT_NEAR(axis(2), 120, 1e-9);
  EXPECT_NEAR(axis(1000), 200, 1e-9) << "clamped";
}

TEST(SvgAxes, LossChartKeepsGapsAndEscapes) {
  std::vector<double> losses(50, 1.0);
  losses[20] = std::nan("");
  const std::string chart = loss_chart("<label>", losses, {std::nan(""), std::nan(""), -1});
  EXPECT_EQ(chart.find("<label>"), std::string::npos);
  EXPECT_EQ(chart.find("nan"), std::string::npos);
  size_t lines = 0;
  for (size_t at = chart.find("<polyline"); at != std::string::npos; at = chart.find("<polyline", at + 1))
    ++lines;
  EXPECT_EQ(lines, 2u);
}

}  // namespace
}  // namespace hijack::report_test
