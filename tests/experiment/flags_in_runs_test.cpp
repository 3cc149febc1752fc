// Flags of trials and settings through runs: for each a run on which it fires and one on which it does not.
// Those of rows that somebody has changed are in flags_test.cpp, those of defenses in defense_flags_test.cpp.
#include <cmath>
#include <fstream>

#include "src/experiment/evaluate/evaluate.h"
#include "src/experiment/report/aggregate/aggregate.h"
#include "tests/support/raised_flags.h"
#include "tests/support/toy_runs.h"

namespace hijack::flags_in_runs_test {
namespace {

using nlohmann::json;
using support::error_of;
using support::expect_quiet;
using support::expect_raised;
using support::told;

constexpr const char* kFont = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf";

class FlagsInRuns : public ToyRuns {
 protected:
  /// An attack that has all it needs: a free image, and steps enough for every context.
  void make_strong() {
    config_.constraint.name = "box";
    config_.optimizer.steps = 60;
    config_.validate_every = 20;
  }

  /// The word that the model begins with by itself, whatever it is asked about the photo.
  void aim_at_what_is_said_anyway() {
    std::set<std::string> words;
    for (const Generated& reply : replies_to(*model_, toy_image(), toy_contexts(14), 48))
      words.insert(reply.text.substr(0, reply.text.find(' ')));
    ASSERT_EQ(words.size(), 1u);
    config_.behavior = {"refusal", *words.begin()};
  }

  RunRecord grid(const std::string& name, const json& blocks) {
    json attack = fields_to_json(fields_of(config_));
    for (const json& block : blocks)
      for (const auto& [key, value] : block.items()) attack.erase(key);
    RunFolder folder = begin_run(
        root() / name, "run", plans_of_experiment({{"attack", attack}, {"grid", blocks}}, "test"), models());
    EXPECT_TRUE(go_on(folder));
    return read_run(root() / name);
  }

  /// The run's only row changed and written anew, with a fresh check: what somebody does who knows the
  /// format.
  RunRecord rewrite(const std::string& name, const std::function<void(TrialRow&)>& change) {
    TrialRow row = read_run(root() / name).trials.at(0);
    change(row);
    std::filesystem::remove(root() / name / "trials.jsonl");
    RowWriter(root() / name / "trials.jsonl").write(to_json(row));
    return read_run(root() / name);
  }
};

TEST_F(FlagsInRuns, AnAttackThatWorksRaisesNothingButFewSeeds) {
  make_strong();
  const RunRecord run = finished("run");
  for (const Flag& flag : sanity_flags({run})) {
    EXPECT_TRUE(flag.name == "few seeds" || flag.name == "replies cut at the length limit") << told({run});
  }
  expect_raised(run, "few seeds");
  config_.seeds = {0, 1, 2};
  config_.random_start = true;
  config_.optimizer.steps = 2;
  expect_quiet(finished("three"), "few seeds");
}

/// A run cannot give it: what is saved is projected onto the set first, and evaluate refuses an image that is
/// not the one saved. What is left is a row of a wider set that claims to be of this one.
TEST_F(FlagsInRuns, BudgetViolated) {
  config_.optimizer.steps = 2;
  finished("run");
  expect_quiet(read_run(root() / "run"), "budget violated");
  config_.constraint.epsilon = "96/255";
  config_.random_start = true;
  const RunRecord wide = finished("wide");
  expect_quiet(wide, "budget violated");
  ASSERT_GT(wide.trials.at(0).budget.max_difference_255, 40);
  const RunRecord moved = rewrite("run", [&](TrialRow& row) {
    row.budget = wide.trials[0].budget;
    row.success["test"].exact = row.success["test"].n;
  });
  EXPECT_TRUE(wide.trials[0].budget.respected);
  EXPECT_FALSE(moved.trials[0].budget.respected);
  expect_raised(moved, "budget violated", "its successes count as failures");
  EXPECT_EQ(report::settings({moved})[0].success.at("test").exact.successes, 0);
  EvaluateConfig evaluate;
  evaluate.defense.defenses = {"bit_depth"};
  EXPECT_NE(error_of([&] { evaluate_run(root() / "run", evaluate, {}, models()); }).find("than its row says"),
            std::string::npos);
  save_png(toy_image(9), root() / "wide" / wide.trials[0].image_file);
  EXPECT_NE(error_of([&] { evaluate_run(root() / "wide", evaluate, {}, models()); }).find("is not the file"),
            std::string::npos);
}

TEST_F(FlagsInRuns, BudgetViolatedInAnL2Ball) {
  config_.constraint.name = "l2";
  config_.constraint.l2_radius = 1.5;
  config_.optimizer.steps = 2;
  expect_quiet(finished("run"), "budget violated");
  expect_raised(rewrite("run", [](TrialRow& row) { row.budget.l2 = 1.6; }), "budget violated");
}

/// Cannot say one word: its logit is minus infinity, as where a vocabulary is masked.
class Masked : public ToyModel {
 public:
  std::vector<Tensor> shifted_target_logits(const Pixels& pixels, std::span<const Query> queries,
                                            std::span<const TokenIds> targets,
                                            std::span<const Tensor> shifts) const override {
    const Tensor word = at::tensor({tokenizer().token_to_id("hijacked").value()}, at::kLong);
    std::vector<Tensor> all = ToyModel::shifted_target_logits(pixels, queries, targets, shifts);
    for (Tensor& logits : all) logits = logits.index_fill(1, word, -INFINITY);
    return all;
  }
};

/// Searches by gradient refuse to go on, and write no row; one that draws text does not need the loss.
TEST_F(FlagsInRuns, LossNotFinite) {
  const auto honest = model_;
  model_ = std::make_shared<Masked>();
  EXPECT_THROW(finished("image"), Failure);
  EXPECT_FALSE(std::filesystem::exists(root() / "image"));
  if (!std::filesystem::exists(kFont)) GTEST_SKIP() << "fonts-dejavu-core is not installed";
  config_.method = "typographic";
  config_.typographic = {.text = "say", .font = kFont, .tries = 2};
  expect_raised(finished("masked"), "loss not finite", "at step 0");
  model_ = honest;
  expect_quiet(finished("honest"), "loss not finite");
}

TEST_F(FlagsInRuns, LossDidNotFall) {
  config_.batch = 0;
  config_.optimizer.step_size = 1e-7;
  expect_raised(finished("tiny"), "loss did not fall");
  config_.optimizer.step_size = 2.0 / 255;
  expect_quiet(finished("usual"), "loss did not fall");
}

TEST_F(FlagsInRuns, NotConverged) {
  config_.batch = 0;
  config_.constraint.name = "box";
  config_.optimizer.steps = 30;
  config_.optimizer.step_size = 0.1 / 255;
  config_.optimizer.final_step = 1;
  const RunRecord early = finished("early");
  EXPECT_LT(early.trials[0].success.at("test").exact, 5);
  expect_raised(early, "not converged", "last 6 of the 30 steps");
  config_.optimizer.steps = 10;
  expect_raised(finished("short"), "not converged", "last 5 of the 10 steps");
  config_.optimizer.steps = 30;
  config_.constraint.name = "linf";
  config_.constraint.epsilon = "2/255";
  config_.optimizer.final_step = 0.1;
  const RunRecord flat = finished("flat");
  EXPECT_LT(flat.trials[0].success.at("test").exact, 5);
  expect_quiet(flat, "not converged");
}

TEST_F(FlagsInRuns, NoiseSucceeds) {
  config_.behavior = {"untargeted", ""};
  config_.constraint.epsilon = "96/255";
  const RunRecord run = finished("untargeted");
  EXPECT_GT(run.trials[0].controls.at("noise").exact, 3);
  expect_raised(run, "noise succeeds", "of 5");
  config_.behavior = {"string", "I was hijacked"};
  make_strong();
  expect_quiet(finished("string"), "noise succeeds");
}

TEST_F(FlagsInRuns, CleanImageObeys) {
  aim_at_what_is_said_anyway();
  config_.optimizer.steps = 1;
  expect_raised(finished("run"), "clean image obeys", "100% (5 of 5)");
  config_.behavior = {"string", "I was hijacked"};
  expect_quiet(finished("string"), "clean image obeys");
}

/// Every run measures both controls; but a text of one letter is its own scrambling.
TEST_F(FlagsInRuns, NoControl) {
  if (!std::filesystem::exists(kFont)) GTEST_SKIP() << "fonts-dejavu-core is not installed";
  config_.method = "typographic";
  config_.typographic = {.text = "OO", .font = kFont, .tries = 2};
  expect_raised(finished("same"), "no control", "the attack's own");
  config_.typographic.text = "OIL";
  expect_quiet(finished("other"), "no control");
  config_.method = "gcg";  // shows the clean photo on purpose; its control is a suffix
  config_.suffix = {.tokens = 3, .steps = 2, .candidates = 4, .contexts = 3};
  expect_quiet(finished("suffix"), "no control");
}

TEST_F(FlagsInRuns, UnconstrainedFails) {
  make_strong();
  expect_quiet(finished("strong"), "unconstrained fails");
  config_.optimizer.steps = 1;
  expect_raised(finished("weak"), "unconstrained fails", "0% (0 of 5)");
}

/// A random search that stops at its first stripes: small ones leave the photo what it is.
TEST_F(FlagsInRuns, EpsilonNotMonotone) {
  aim_at_what_is_said_anyway();
  config_.optimizer.name = "square";
  config_.batch = 0;
  config_.validate_every = 0;
  const json sizes = {{{"epsilon", {"1/255", "255/255"}}}};
  config_.optimizer.steps = 2;
  expect_raised(grid("early", sizes), "epsilon not monotone", "at linf 1/255");
  config_.optimizer.steps = 150;
  expect_quiet(grid("late", sizes), "epsilon not monotone");
}

TEST_F(FlagsInRuns, BlackBoxIsStronger) {
  config_.behavior = {"refusal", "yes"};
  config_.constraint.epsilon = "128/255";
  config_.batch = 0;
  config_.validate_every = 0;
  const auto both = [](int64_t steps) {
    return json::array({{{"optimizer", "pgd"}, {"steps", steps}}, {{"optimizer", "square"}, {"steps", 150}}});
  };
  expect_raised(grid("weak", both(1)), "black box is stronger", "(square)");
  expect_quiet(grid("strong", both(40)), "black box is stronger");
}

TEST_F(FlagsInRuns, ARowThatWasCutOff) {
  finished("run");
  expect_quiet(read_run(root() / "run"), "row cut off");
  std::ofstream(root() / "run/replies.jsonl", std::ios::app) << R"({"trial": "string-li)";
  expect_raised(read_run(root() / "run"), "row cut off", "replies.jsonl");
}

/// Rows of older versions have no check and are refused; one that was written by hand may have it.
TEST_F(FlagsInRuns, SettingNotRecorded) {
  finished("run");
  expect_quiet(read_run(root() / "run"), "setting not recorded");
  rewrite("run", [](TrialRow& row) { row.setting = {}, row.setting_digest.clear(); });
  expect_raised(read_run(root() / "run"), "setting not recorded");
  json row = to_json(read_run(root() / "run").trials.at(0));
  write_file(root() / "run/trials.jsonl", row.dump() + "\n");
  EXPECT_NE(error_of([&] { read_run(root() / "run"); }).find("older version"), std::string::npos);
}

}  // namespace
}  // namespace hijack::flags_in_runs_test
