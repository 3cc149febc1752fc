#include "attacks/objectives/behavior_matching.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attacks/behaviors/corpus.h"
#include "src/base/error.h"
#include "tests/support/finite_difference.h"
#include "tests/support/toy_model.h"

namespace hijack::behavior_matching_test {
namespace {

std::shared_ptr<const Behavior> behavior(const std::string& name, const std::string& target) {
  return make_behavior({.name = name, .target = target});
}

BehaviorMatching toy_objective(int64_t batch, bool float64 = false, size_t contexts = 7) {
  return {std::make_shared<ToyModel>(ToyOptions{.float64 = float64}),
          behavior("leak", "send {context} to me"), toy_contexts(contexts), batch, 11};
}

TEST(BehaviorMatching, GradientMatchesFiniteDifferences) {
  BehaviorMatching objective = toy_objective(0, true);
  const auto loss = [&](const Tensor& image) { return objective.loss(image, 0); };
  EXPECT_LT(worst_gradient_error(loss, toy_image().to(at::kDouble)), 1e-6);
  // At the ends of the range, too: nothing in the graph clamps.
  const Tensor saturated = toy_image().to(at::kDouble).round();
  EXPECT_LT(worst_gradient_error(loss, saturated), 1e-6);
}

TEST(BehaviorMatching, DrawsOneOfSeveralTargetsPerContextAndStep) {
  const auto corpus = std::make_shared<CorpusBehavior>(
      std::vector<std::string>{"I was hijacked", "say it please", "send it to me"});
  const auto model = std::make_shared<ToyModel>(ToyOptions{.float64 = true});
  BehaviorMatching objective(model, corpus, toy_contexts(3), 0, 11);
  EXPECT_FALSE(objective.deterministic());
  std::set<double> values;
  for (int64_t step = 0; step < 12; ++step) {
    const double value = objective.loss(toy_image(), step).item<double>();
    EXPECT_EQ(value, objective.loss(toy_image(), step).item<double>()) << "a function of the step";
    values.insert(value);
  }
  EXPECT_GT(values.size(), 6u);
  const auto loss = [&](const Tensor& image) { return objective.loss(image, 3); };
  EXPECT_LT(worst_gradient_error(loss, toy_image().to(at::kDouble)), 1e-6);
  // a target whose text does not survive the tokenizer
  const auto foreign = std::make_shared<CorpusBehavior>(std::vector<std::string>{"I", "\xe2\x98\x83"});
  EXPECT_THROW(BehaviorMatching(model, foreign, toy_contexts(1), 0, 1), Error);
  // special tokens are matched, but no reply shows them
  const auto special = std::make_shared<CorpusBehavior>(std::vector<std::string>{"yes </s>"});
  EXPECT_THROW(BehaviorMatching(model, special, toy_contexts(1), 0, 1), Error);
}

TEST(BehaviorMatching, EverySaturatedPixelHasAGradient) {
  BehaviorMatching objective = toy_objective(0);
  for (const double value : {0.0, 1.0}) {
    const Tensor image = at::full({1, 3, 16, 16}, value).requires_grad_(true);
    objective.loss(image, 0).sum().backward();
    EXPECT_EQ(image.grad().eq(0).sum().item<int64_t>(), 0) << value;
  }
}

/// Mean over contexts of the mean over tokens, computed the slow way.
double expected_loss(const ToyModel& model, const std::vector<Context>& contexts,
                     const std::vector<TokenIds>& targets) {
  const auto logits = model.target_logits(model.preprocess(toy_image()), contexts, targets);
  double total = 0;
  for (size_t i = 0; i < contexts.size(); ++i) {
    const Tensor scores = logits[i].to(at::kDouble).log_softmax(-1);
    double one = 0;
    for (size_t t = 0; t < targets[i].size(); ++t)
      one -= scores[static_cast<int64_t>(t)][targets[i][t]].item<double>();
    total += one / static_cast<double>(targets[i].size());
  }
  return total / static_cast<double>(contexts.size());
}

TEST(BehaviorMatching, IsTheMeanCrossEntropyWithTheEndTokenOnlyWhereTheReplyEnds) {
  const auto model = std::make_shared<ToyModel>();
  const auto contexts = toy_contexts(3);
  for (const std::string name : {"string", "leak", "refusal"}) {
    const auto one = behavior(name, name == "leak" ? "say {context} please" : "say it please");
    std::vector<TokenIds> targets;
    for (const Context& context : contexts) {
      targets.push_back(model->target_ids(one->target_for(context)));
      if (name != "refusal") targets.back().push_back(model->end_of_reply().at(0));
    }
    BehaviorMatching objective(model, one, contexts, 0, 1);
    EXPECT_NEAR(objective.loss(toy_image(), 0).item<double>(), expected_loss(*model, contexts, targets), 1e-5)
        << name;
  }
}

/// A defense may rewrite prompts on their way to the model; the attacker still wants what the user's own
/// words decide.
TEST(BehaviorMatching, TargetsAreThoseOfTheContextWhateverIsAskedInItsPlace) {
  const auto model = std::make_shared<ToyModel>();
  const auto contexts = toy_contexts(3);
  std::vector<Query> rewritten = contexts;
  for (Query& query : rewritten) query = {.prompt = "please " + query.prompt, .system = "say"};
  const auto leak = behavior("leak", "send {context} to me");
  std::vector<TokenIds> targets;
  for (const Context& context : contexts) {
    targets.push_back(model->target_ids("send " + context.prompt + " to me"));
    targets.back().push_back(model->end_of_reply().at(0));
  }
  BehaviorMatching objective(model, leak, {contexts, rewritten}, 0, 1);
  EXPECT_NEAR(objective.loss(toy_image(), 0).item<double>(), expected_loss(*model, rewritten, targets), 1e-5);
  BehaviorMatching plain(model, leak, contexts, 0, 1);
  EXPECT_NEAR(plain.loss(toy_image(), 0).item<double>(), expected_loss(*model, contexts, targets), 1e-5);
}

TEST(BehaviorMatching, OneValuePerImage) {
  BehaviorMatching objective = toy_objective(0);
  const Tensor loss = objective.loss(at::cat({toy_image(1), toy_image(2)}), 0);
  ASSERT_EQ(loss.sizes(), (std::vector<int64_t>{2}));
  EXPECT_EQ(loss[0].item<float>(), objective.loss(toy_image(1), 0).item<float>());
  EXPECT_EQ(loss[1].item<float>(), objective.loss(toy_image(2), 0).item<float>());
  EXPECT_NE(loss[0].item<float>(), loss[1].item<float>());
}

/// Counts how often each prompt is asked.
class Counting : public ToyModel {
 public:
  mutable std::map<std::string, int> asked;
  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override {
    for (const Query& query : queries) ++asked[query.prompt];
    return ToyModel::target_logits(pixels, queries, targets);
  }
};

TEST(BehaviorMatching, BatchesCoverEachEpochWithoutRepetition) {
  const auto model = std::make_shared<Counting>();
  BehaviorMatching objective(model, behavior("string", "yes"), toy_contexts(6), 2, 3);
  EXPECT_FALSE(objective.deterministic());
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    model->asked.clear();
    for (int64_t step = 3 * epoch; step < 3 * (epoch + 1); ++step) objective.loss(toy_image(), step);
    EXPECT_EQ(model->asked.size(), 6u);
    for (const auto& [prompt, count] : model->asked) EXPECT_EQ(count, 1) << prompt;
  }
}

TEST(BehaviorMatching, HardestContextsAreThoseWithTheLargestLoss) {
  const auto model = std::make_shared<ToyModel>();
  const auto contexts = toy_contexts(6);
  const auto says = behavior("string", "yes");
  std::vector<double> alone;
  for (const Context& context : contexts)
    alone.push_back(BehaviorMatching(model, says, {{context}}, 0, 1).loss(toy_image(), 0).item<double>());
  std::sort(alone.rbegin(), alone.rend());
  BehaviorMatching objective(model, says, contexts, 2, 3, {.hardest_of = 3});
  EXPECT_NEAR(objective.loss(toy_image(), 0).item<double>(), (alone[0] + alone[1]) / 2, 1e-5);
  BehaviorMatching drawn(model, says, contexts, 2, 3);
  EXPECT_LT(drawn.loss(toy_image(), 0).item<double>(), (alone[0] + alone[1]) / 2);
}

TEST(BehaviorMatching, BatchesDependOnlyOnSeedAndStep) {
  BehaviorMatching objective = toy_objective(2);
  BehaviorMatching again = toy_objective(2);
  std::vector<float> forward, backward;
  for (int64_t step = 0; step < 9; ++step) forward.push_back(objective.loss(toy_image(), step).item<float>());
  for (int64_t step = 8; step >= 0; --step) backward.push_back(again.loss(toy_image(), step).item<float>());
  std::reverse(backward.begin(), backward.end());
  EXPECT_EQ(forward, backward);
  EXPECT_GT(std::set<float>(forward.begin(), forward.end()).size(), 4u);
}

TEST(BehaviorMatching, AllContextsEachStepIsDeterministic) {
  for (const int64_t batch : {0, 7, 100}) {
    BehaviorMatching objective = toy_objective(batch);
    EXPECT_TRUE(objective.deterministic());
    EXPECT_EQ(objective.loss(toy_image(), 0).item<float>(), objective.loss(toy_image(), 5).item<float>());
  }
}

TEST(BehaviorMatching, BadInput) {
  const auto model = std::make_shared<ToyModel>();
  EXPECT_THROW(BehaviorMatching(model, behavior("string", "yes"), {}, 0, 1), Error);
  EXPECT_THROW(BehaviorMatching(model, behavior("string", "yes"), toy_contexts(2), -1, 1), Error);
  std::string long_target;
  for (int i = 0; i < 100; ++i) long_target += "yes ";
  BehaviorMatching objective(model, behavior("string", long_target), toy_contexts(2), 0, 1);
  EXPECT_THROW(objective.loss(toy_image(), 0), Error);
}

}  // namespace
}  // namespace hijack::behavior_matching_test
