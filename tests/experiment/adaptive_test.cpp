// Attacks through defenses: the loss that the optimizer sees, and what evaluate makes of it on the toy model.
#include "src/experiment/run/defended_objective.h"

#include <gtest/gtest.h>

#include "attacks/objectives/behavior_matching.h"
#include "defenses/kinds.h"
#include "defenses/make_defense.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/experiment/evaluate/evaluate.h"
#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/run/shown_images.h"
#include "tests/support/scripted_model.h"
#include "tests/support/toy_runs.h"

namespace hijack::adaptive_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using support::error_of;

/// The mean of squares, which shows what image arrived.
class Squares : public Objective {
 public:
  Tensor loss(const Tensor& image, int64_t) override { return image.square().mean({1, 2, 3}); }
  bool deterministic() const override { return true; }
};

/// Scores the mean of the image against .25.
class MeanDetector : public Defense {
 public:
  std::string name() const override { return "mean"; }
  std::vector<Reply> answer(const std::vector<Submission>& submissions,
                            const Responder& next) const override {
    return next(submissions);
  }
  std::vector<Calibration> calibrations() const override { return {{.name = "mean", .threshold = 0.25}}; }
  Tensor image_score(const Tensor& image) const override { return image.mean(); }
};

std::shared_ptr<const Defense> made(const std::string& spec) {
  const auto model = std::make_shared<ToyModel>();
  DefenseResources resources;
  resources.model = model;
  resources.scorer = resources.paraphraser = model->language_model();
  for (const Query& query : toy_contexts(25))
    resources.benign.push_back({toy_image(resources.benign.size()), query});
  return make_defense(parse_defense(spec), resources);
}

DefenseConfig with(int64_t draws, double weight = 1) {
  DefenseConfig config;
  config.draws = draws;
  config.detector_weight = weight;
  return config;
}

std::unique_ptr<DefendedObjective> through(const DefenseStack& stack, const DefenseConfig& config = {},
                                           bool fixed = false) {
  return std::make_unique<DefendedObjective>(std::make_unique<Squares>(), stack, config, 5, fixed);
}

double value(Objective& objective, const Tensor& image, int64_t step = 0) {
  return objective.loss(image, step).item<double>();
}

TEST(DefendedObjective, MeasuresWhatTheDefenseMakesOfTheImage) {
  const DefenseStack stack = {made("bit_depth:bits=2"), made("blur")};
  Random random(0);
  const Tensor seen = stack_surrogate(stack, toy_image(), random);
  EXPECT_NEAR(value(*through(stack), toy_image()), seen.square().mean().item<double>(), 1e-7);
  EXPECT_NE(value(*through(stack), toy_image()), value(*through({}), toy_image()));
  EXPECT_TRUE(through(stack)->deterministic());
  Tensor image = toy_image().clone().set_requires_grad(true);
  through(stack)->loss(image, 0).sum().backward();
  EXPECT_GT(image.grad().abs().max().item<double>(), 0);
}

TEST(DefendedObjective, AveragesFreshDrawsOfRandomDefenses) {
  const DefenseStack stack = {made("noise:sigma=30")};
  const auto one = through(stack, with(1)), four = through(stack, with(4));
  EXPECT_EQ(value(*one, toy_image(), 3), value(*one, toy_image(), 3));
  EXPECT_NE(value(*one, toy_image(), 3), value(*one, toy_image(), 4));
  double mean = 0;
  for (int64_t step = 0; step < 4; ++step) mean += value(*one, toy_image(), step) / 4;
  EXPECT_NEAR(value(*four, toy_image(), 0), mean, 1e-6);
  EXPECT_FALSE(one->deterministic());
  const auto fixed = through(stack, with(2), true);
  EXPECT_TRUE(fixed->deterministic());
  EXPECT_EQ(value(*fixed, toy_image(), 1), value(*fixed, toy_image(), 9));
}

TEST(DefendedObjective, DetectorsAddTheirExcessOverFourFifthsOfTheThreshold) {
  const DefenseStack stack = {std::make_shared<const MeanDetector>()};
  const Tensor low = at::full({1, 3, 4, 4}, 0.1), high = at::full({1, 3, 4, 4}, 0.5);
  EXPECT_NEAR(value(*through(stack), low), 0.01, 1e-6);
  EXPECT_NEAR(value(*through(stack), high), 0.25 + (0.5 - 0.2) / 0.25, 1e-5);
  EXPECT_NEAR(value(*through(stack, with(4, 3)), high), 0.25 + 3 * (0.5 - 0.2) / 0.25, 1e-5);
}

TEST(DefendedObjective, EachImageOfABatchHasItsLoss) {
  const Tensor both = at::cat({toy_image(3), toy_image(4)});
  const Tensor loss = through({made("blur")})->loss(both, 0);
  ASSERT_EQ(loss.numel(), 2);
  EXPECT_NEAR(loss[1].item<double>(), value(*through({made("blur")}), toy_image(4)), 1e-7);
}

TEST(Handles, SayWhatAnAdaptiveAttackCanWorkOn) {
  const auto handles = [](const DefenseStack& stack) {
    const Handles found = handles_of(stack, toy_image(), toy_contexts(3));
    return std::string(found.image ? "image " : "") + (found.text ? "text" : "");
  };
  EXPECT_EQ(handles({}), "");
  EXPECT_EQ(handles({made("jpeg")}), "image ");
  EXPECT_EQ(handles({made("crop")}), "image ");
  EXPECT_EQ(handles({std::make_shared<const MeanDetector>()}), "image ");
  EXPECT_EQ(handles({made("perplexity")}), "text");
  EXPECT_EQ(handles({made("safety_prompt")}), "image text");
}

class Adaptive : public ToyRuns {
 protected:
  Adaptive() {
    config_.constraint.name = "box";
    config_.optimizer.steps = 40;
    config_.validate_every = 10;
    evaluate_.defense.defenses = {"median:size=5", "perplexity"};
    evaluate_.defense.adaptive = true;
    evaluate_.utility = 2;
    evaluate_.suffix.tokens = 3;
    evaluate_.suffix.steps = 2;
    evaluate_.suffix.candidates = 4;
  }

  EvaluateConfig evaluate_;
};

TEST_F(Adaptive, EvaluateMakesTheAttackAgainThroughEachDefense) {
  finished("run");
  ASSERT_TRUE(evaluate_run(root() / "run", evaluate_, {}, models()));
  const RunRecord run = read_run(root() / "run");
  ASSERT_EQ(run.trials.size(), 2u);  // nothing to adapt to in a filter of prompts
  const TrialRow& informed = run.trials[1];
  EXPECT_TRUE(informed.id.starts_with("string-box-photo-s0-vs-median-size-5-")) << informed.id;
  EXPECT_TRUE(informed.adaptive);
  EXPECT_EQ(informed.defense, "median:size=5");
  EXPECT_TRUE(fs::exists(run.folder / informed.image_file));
  const auto rows = report::defenses({run});
  const auto median =
      std::find_if(rows.begin(), rows.end(), [](const auto& one) { return one.defense == "median:size=5"; });
  ASSERT_NE(median, rows.end());
  EXPECT_EQ(median->attack.n, 5);
  EXPECT_EQ(median->adaptive.n, 5);
  EXPECT_EQ(median->clean.n, 5);  // the adaptive trial's own controls are not counted again
  EXPECT_LT(median->attack.successes, median->adaptive.successes);
  EXPECT_EQ(median->adaptive.successes, informed.success.at("test").exact);
  for (const auto& one : rows) {
    if (one.defense.starts_with("perplexity")) {
      EXPECT_EQ(one.adaptive.successes, one.attack.successes);
    }
  }
  const json suffixes = run.manifest.at("text_suffixes");
  EXPECT_EQ(suffixes.size(), 2u);                    // one more for the filter
  for (const auto& [key, entry] : suffixes.items())  // says what its search was made with
    EXPECT_EQ(entry.at("made_by").at("suffix_perplexity"), entry.at("through") == "none" ? 0 : 0.2) << entry;
  // The reply of the deployed system to the very file that was saved.
  const Tensor saved = load_image(run.folder / informed.image_file);
  const Responder system = protect({made("median:size=5")}, bare_model(model_, {48}));
  for (const ReplyRow& row : run.replies) {
    if (row.condition != "adaptive" || row.split != "test" || row.defense != "median:size=5") continue;
    EXPECT_EQ(system({{saved, row.context}}).at(0).text, row.reply);
  }
  const std::string before = essence("run");
  EXPECT_TRUE(evaluate_run(root() / "run", evaluate_, {}, models()));
  EXPECT_EQ(essence("run"), before);
}

TEST_F(Adaptive, StoppedAnywhereItGoesOnToTheSameRows) {
  finished("whole");
  ASSERT_TRUE(evaluate_run(root() / "whole", evaluate_, {}, models()));
  finished("stopped");
  int rounds = 0;
  for (bool done = false; !done; ++rounds) {
    ASSERT_LT(rounds, 40);
    std::stop_source stop;
    RunHooks hooks;
    hooks.stop = stop.get_token();
    int steps = 0;
    hooks.on_step = [&](const TrialProgress&) {
      if (++steps == 11) stop.request_stop();
    };
    done = evaluate_run(root() / "stopped", evaluate_, hooks, models());
  }
  EXPECT_GT(rounds, 2);
  EXPECT_EQ(essence("stopped"), essence("whole"));
}

TEST_F(Adaptive, ARowCutAnywhereIsAskedAgain) {
  finished("whole");
  ASSERT_TRUE(evaluate_run(root() / "whole", evaluate_, {}, models()));
  const std::string text = read_file(root() / "whole/replies.jsonl");
  for (const double part : {0.5, 0.6, 0.75, 0.9}) {
    const fs::path copy = root() / "cut";
    fs::remove_all(copy);
    fs::copy(root() / "whole", copy, fs::copy_options::recursive);
    fs::resize_file(copy / "replies.jsonl", static_cast<uintmax_t>(part * static_cast<double>(text.size())));
    // A trial's row comes after its replies: a kill that leaves few replies leaves no row.
    const auto after = text.find("\n", text.rfind("-vs-"));
    if (part * static_cast<double>(text.size()) < static_cast<double>(after)) {
      const std::string rows = read_file(copy / "trials.jsonl");
      write_file(copy / "trials.jsonl", rows.substr(0, rows.find('\n') + 1));
    }
    const auto cut = read_run(copy).replies.size();
    ASSERT_TRUE(evaluate_run(copy, evaluate_, {}, models()));
    EXPECT_LT(cut, read_run(copy).replies.size());
    std::map<std::string, int> count, expected;
    for (const ReplyRow& row : read_run(copy).replies)
      ++count[row.trial + row.condition + row.split + row.defense];
    for (const ReplyRow& row : read_run(root() / "whole").replies)
      ++expected[row.trial + row.condition + row.split + row.defense];
    EXPECT_EQ(count, expected) << part;
  }
}

TEST_F(Adaptive, AnAttackThatKnowsItsDefenseIsJudgedBehindIt) {
  config_.defense = {.defenses = {"median:size=5"}, .adaptive = true};
  const RunRecord run = finished("run");
  EXPECT_TRUE(run.trials.at(0).adaptive);
  EXPECT_EQ(run.trials.at(0).defense, "median:size=5");
  for (const ReplyRow& row : run.replies) {
    EXPECT_EQ(row.defense, "median:size=5");
    EXPECT_EQ(row.trace.size(), 1u);
    EXPECT_NE(row.condition, "attack");
  }
  config_.defense.adaptive = false;
  const RunRecord naive = finished("static");
  EXPECT_FALSE(naive.trials.at(0).adaptive);
  EXPECT_LT(naive.trials.at(0).success.at("test").exact, run.trials.at(0).success.at("test").exact);
}

/// What a rewriter makes of a prompt is what the model is asked; the target is that of the user's own words.
TEST_F(Adaptive, ThroughARewriterTheTargetsStayThoseOfTheContexts) {
  std::string table = "goal,target,split\n";
  const auto contexts = toy_contexts(12);
  for (size_t i = 0; i < contexts.size(); ++i)
    table += contexts[i].prompt + ",say it please," + (i < 6 ? "train\n" : "test\n");
  write_file(root() / "table.csv", table);
  config_.contexts = (root() / "table.csv").string();
  config_.batch = 0;
  config_.optimizer.steps = 60;
  config_.defense = {.defenses = {"safety_prompt"}, .adaptive = true};
  const RunRecord run = finished("run");
  EXPECT_EQ(run.trials.at(0).success.at("train").exact, 6);
  // the loss on the test contexts, by hand: their targets after the safety prompt
  const ContextSet set = read_contexts(config_.contexts);
  const auto asked = made("safety_prompt")->surrogate_queries(set.test);
  EXPECT_NE(asked.at(0).system + asked.at(0).prompt, set.test.at(0).prompt);
  BehaviorMatching loss(model_, make_behavior({.name = "string", .target = "say it please"}), asked, 0, 1);
  EXPECT_NEAR(run.trials.at(0).loss_clean, loss.loss(toy_image(), 0).item<double>(), 1e-5);
}

TEST_F(Adaptive, ThroughARewriterALeakIsOfTheUsersWords) {
  config_.behavior = {"leak", "say {context}"};
  config_.defense = {.defenses = {"paraphrase"}, .adaptive = true};
  const auto plans = plan_trials(config_);
  DefenseMaker maker;
  const TrialSetup setup = set_up(plans.at(0), model_, maker);
  for (const AskedContexts* seen : {&setup.seen_train, &setup.seen_test}) {
    size_t rewritten = 0;
    for (size_t i = 0; i < seen->size(); ++i) {
      rewritten +=
          seen->asked[i].prompt != seen->contexts[i].prompt;  // not where the toy has no words for it
      EXPECT_EQ(setup.behavior->target_for(seen->contexts[i]), "say " + seen->contexts[i].prompt);
    }
    EXPECT_GT(rewritten, 0u);
  }
  const RunRecord run = finished("run");
  BehaviorMatching loss(model_, make_behavior(config_.behavior), setup.seen_test, 0, 1);
  EXPECT_NEAR(run.trials.at(0).loss_clean, loss.loss(toy_image(), 0).item<double>(), 1e-5);
}

TEST_F(Adaptive, ThroughARewriterDisinformationIsTheReplyToTheUsersWords) {
  const auto scripted = std::make_shared<ScriptedModel>([](const Tensor&, const Query& query) {
    return query.prompt.starts_with("say no ") ? query.prompt.substr(7) : "yes";
  });
  model_ = scripted;
  config_.behavior = {"disinformation", "say no"};
  config_.defense = {.defenses = {"paraphrase"}, .adaptive = true};
  const auto plans = plan_trials(config_);
  DefenseMaker maker;
  const TrialSetup setup = set_up(plans.at(0), model_, maker);
  for (size_t i = 0; i < setup.seen_train.size(); ++i)
    EXPECT_EQ(setup.behavior->target_for(setup.seen_train.contexts[i]), setup.contexts.train[i].prompt);
  EXPECT_TRUE(finished("run").trials.at(0).adaptive);
}

TEST_F(Adaptive, AMovingPatchIsEvaluatedAtThePlacesOfTheTrial) {
  config_.constraint.name = "moving_patch";
  config_.constraint.patch_size = 10;
  finished("run");
  evaluate_.defense = {.defenses = {"bit_depth:bits=7"}};
  ASSERT_TRUE(evaluate_run(root() / "run", evaluate_, {}, models()));
  const RunRecord run = read_run(root() / "run");
  const Tensor saved = load_image(run.folder / run.trials[0].image_file);
  const Tensor origin = load_image(run.folder / run.trials[0].origin_file);
  const MovingPatch patch{10, 0, 0};
  const auto shown = shown_images(patch, saved, origin, place_in_file(patch, origin, 0), 0, "test", 5);
  EXPECT_FALSE(at::equal(shown[0], shown[1]));
  const Responder system = protect({made("bit_depth:bits=7")}, bare_model(model_, {48}));
  size_t i = 0;
  for (const ReplyRow& row : run.replies) {
    if (row.condition != "attack" || row.defense == "none") continue;
    EXPECT_EQ(system({{shown.at(i++), row.context}}).at(0).text, row.reply);
  }
  EXPECT_EQ(i, 5u);
}

TEST_F(Adaptive, WhatCannotBeIsRefused) {
  const auto refused = [](const DefenseConfig& config) { return error_of([&] { check(config); }); };
  EXPECT_NE(refused({.defenses = {}, .adaptive = true}).find("--defense"), std::string::npos);
  EXPECT_NE(refused({.defenses = {"jpg"}}).find("jpeg"), std::string::npos);
  EXPECT_NE(refused(with(0)), "");
  EXPECT_NE(refused({.defenses = {}, .false_positive_rate = 1}), "");
  EXPECT_NE(refused(with(1, -1)), "");
  EXPECT_EQ(refused({}), "");
  std::string lines = read_file(root() / "contexts.jsonl");
  for (size_t at = lines.find("calibration"); at != std::string::npos; at = lines.find("calibration"))
    lines.replace(at, 11, "validation");
  write_file(root() / "contexts.jsonl", lines);
  config_.defense = {.defenses = {"perplexity"}};
  const std::string message = error_of([&] { finished("run"); });
  EXPECT_NE(message.find("calibration"), std::string::npos) << message;
}

}  // namespace
}  // namespace hijack::adaptive_test
