// Adversarial prompts: the embeddings of the contexts drift against the image.
#include "attacks/wrappers/cropa.h"

#include <gtest/gtest.h>

#include "attacks/loop/attack_state_io.h"
#include "attacks/loop/evaluate.h"
#include "attacks/objectives/token_losses.h"
#include "models/embedding_access.h"
#include "src/base/error.h"
#include "tests/support/finite_difference.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_attack.h"

namespace hijack::cropa_test {
namespace {

using support::error_of;

/// An objective over four contexts whose prompts may drift, and the model through which they do.
struct Drifting {
  explicit Drifting(const CropaConfig& config, bool float64 = true, int64_t batch = 0)
      : shifted(std::make_shared<ShiftedModel>(std::make_shared<ToyModel>(ToyOptions{.float64 = float64}),
                                               contexts)),
        objective(make_objective({}, {.models = {shifted},
                                      .behavior = make_behavior({.name = "string", .target = "say yes"}),
                                      .contexts = contexts,
                                      .origin = image,
                                      .batch = batch,
                                      .seed = 5}),
                  {shifted}, config) {}
  double loss() {
    const at::NoGradGuard no_gradients;
    return objective.loss(image, 0).item<double>();
  }
  /// What a step of an attack does to the prompts.
  void move(int64_t step) {
    evaluate(objective, image, step, /*with_gradient=*/true);
    objective.after_step(image, step);
  }

  std::vector<Context> contexts = toy_contexts(4);
  Tensor image = toy_image().to(at::kDouble);
  std::shared_ptr<ShiftedModel> shifted;
  Cropa objective;
};

double size_of(const Drifting& one, size_t context) {
  const auto words = prompt_embeddings_of(*one.shifted).prompt_embeddings({}, one.contexts[context]);
  return words.square().mean().sqrt().item<double>();
}

TEST(Cropa, TheGradientToAShiftMatchesFiniteDifferences) {
  const ToyModel model({.float64 = true});
  const Pixels pixels = model.preprocess(toy_image().to(at::kDouble));
  const std::vector<Query> queries = toy_contexts(2);
  const std::vector<TokenIds> targets = {model.target_ids("say yes"), model.target_ids("yes")};
  const Tensor start = model.prompt_embeddings(pixels, queries[0]) * .3;
  const auto loss = [&](const Tensor& shift) {
    const std::vector<Tensor> shifts = {shift, {}};
    return mean_cross_entropy(model.shifted_target_logits(pixels, queries, targets, shifts), targets);
  };
  EXPECT_LT(worst_gradient_error(loss, start), 1e-6);
}

TEST(Cropa, TheGradientToTheImageGoesThroughDriftedPrompts) {
  Drifting one({.radius = 1, .step = .5});
  one.move(0);
  const auto loss = [&](const Tensor& image) { return one.objective.loss(image, 0); };
  EXPECT_LT(worst_gradient_error(loss, one.image), 1e-6);
}

TEST(Cropa, TheLossOfTheEmbeddingsGoesUpWithinTheirBudget) {
  for (const std::string norm : {"linf", "l2"}) {
    SCOPED_TRACE(norm);
    Drifting one({.radius = .3, .step = .1, .norm = norm});
    const double start = one.loss();
    double before = start;
    for (int64_t step = 0; step < 3; ++step) {
      one.move(step);
      EXPECT_GT(one.loss(), before);
      before = one.loss();
    }
    for (int64_t step = 3; step < 8; ++step) one.move(step);
    ASSERT_EQ(one.shifted->shifts.size(), one.contexts.size());
    double most = 0;
    for (const auto& [context, shift] : one.shifted->shifts) {
      const double size = size_of(one, context);
      const double reached = norm == "linf"
                                 ? shift.abs().max().item<double>() / size
                                 : shift.norm(2, {1}).max().item<double>() / (size * std::sqrt(24.0));
      EXPECT_LT(reached, .3 + 1e-9) << context;
      most = std::max(most, reached);
      EXPECT_FALSE(shift.requires_grad());
    }
    EXPECT_GT(most, .3 - 1e-6) << "eight steps of .1 reach the border";
    EXPECT_NEAR(one.objective.comparable_loss(one.image).item<double>(), start, 1e-12)
        << "images are compared on the true prompts";
    EXPECT_GT(one.loss(), start);
  }
}

TEST(Cropa, PromptsMoveEveryNStepsAndOnlyThoseOfTheStep) {
  Drifting one({.radius = 1, .every = 3}, true, /*batch=*/1);
  for (int64_t step = 0; step < 2; ++step) {
    one.move(step);
    EXPECT_TRUE(one.objective.state().empty());
  }
  one.move(2);
  EXPECT_EQ(one.objective.state().size(), 1u);
}

TEST(Cropa, OtherPromptsAndRepliesStayAsTheyAre) {
  Drifting one({.radius = 2, .step = 2});
  const ToyModel plain({.float64 = true});
  one.move(0);
  const Pixels pixels = plain.preprocess(one.image);
  const std::vector<Query> others = {toy_contexts(9).back(), one.contexts[0]};
  const std::vector<TokenIds> targets(2, plain.target_ids("say yes"));
  const auto here = one.shifted->target_logits(pixels, others, targets);
  const auto there = plain.target_logits(pixels, others, targets);
  EXPECT_TRUE(at::equal(here[0], there[0]));
  EXPECT_FALSE(at::equal(here[1], there[1]));
  EXPECT_EQ(one.shifted->generate(pixels, others, {}), plain.generate(pixels, others, {}));
}

/// A toy attack against drifting prompts.
struct DriftingAttack : ToyAttack {
  DriftingAttack() : ToyAttack({.steps = 10}) {
    const auto shifted = std::make_shared<ShiftedModel>(model, toy_contexts(10));
    objective = std::make_unique<Cropa>(make_objective({}, {.models = {shifted},
                                                            .behavior = behavior,
                                                            .contexts = toy_contexts(10),
                                                            .origin = origin,
                                                            .batch = 4,
                                                            .seed = 5}),
                                        std::vector{shifted}, CropaConfig{.radius = 1, .every = 2});
    options.restarts = 1;
  }
};

TEST(Cropa, ResumesToTheSameBytesThroughAFile) {
  const support::TemporaryFolder folder;
  const auto file = folder.path() / "state.safetensors";
  DriftingAttack whole;
  AttackState expected = whole.start();
  whole.run(expected);
  EXPECT_EQ(expected.step, 20);
  for (const int64_t killed_at : {3, 4, 10, 12, 17}) {
    SCOPED_TRACE(killed_at);
    DriftingAttack first;
    std::stop_source stop;
    first.options.stop = stop.get_token();
    first.hooks.after_step = [&](const AttackState& now) {
      if (now.step == killed_at) stop.request_stop();
    };
    AttackState state = first.start();
    first.run(state);
    EXPECT_FALSE(state.objective.empty());
    save_attack_state(state, file);
    DriftingAttack second;
    AttackState resumed = load_attack_state(file);
    second.run(resumed);
    expect_same(resumed, expected);
    // without its memory of the prompts it would be another run
    if (killed_at == 10) continue;  // a restart forgets them anyway
    DriftingAttack forgetful;
    AttackState other = load_attack_state(file);
    other.objective.clear();
    forgetful.run(other);
    EXPECT_NE(other.losses, expected.losses);
  }
}

TEST(Cropa, BadNumbersAndForeignStatesAreRefused) {
  const auto refused = [](const CropaConfig& config) { return error_of([&] { check(config); }); };
  EXPECT_EQ(refused({.radius = 1}), "");
  EXPECT_NE(refused({.radius = -1}).find("--cropa-radius"), std::string::npos);
  EXPECT_NE(refused({.radius = NAN}).find("--cropa-radius"), std::string::npos);
  EXPECT_NE(refused({.step = 0}).find("--cropa-step"), std::string::npos);
  EXPECT_NE(refused({.every = 0}).find("--cropa-every"), std::string::npos);
  EXPECT_NE(refused({.norm = "l3"}).find("'l2'"), std::string::npos);
  Drifting one({.radius = 1});
  for (const std::string name : {"shift.1.0", "shift.0.x", "momentum", "shift.0", "shift.00.1", ""})
    EXPECT_NE(error_of([&] {
                one.objective.restore({{name, at::zeros({2, 24})}});
              }).find("resume"),
              std::string::npos)
        << name;
  one.objective.restore({{"shift.0.1", at::zeros({2, 24})}});
  EXPECT_EQ(one.shifted->shifts.count(1), 1u);
}

}  // namespace
}  // namespace hijack::cropa_test
