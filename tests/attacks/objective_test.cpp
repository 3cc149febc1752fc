#include <gtest/gtest.h>

#include "attacks/behaviors/text.h"
#include "attacks/loop/evaluate.h"
#include "attacks/objectives/delay_end.h"
#include "attacks/objectives/feature_matching.h"
#include "attacks/objectives/make_objective.h"
#include "attacks/objectives/prompt_matching.h"
#include "attacks/objectives/random_views.h"
#include "attacks/objectives/token_losses.h"
#include "attacks/objectives/token_transport.h"
#include "attacks/objectives/weighted_sum.h"
#include "attacks/wrappers/augmentation.h"
#include "attacks/wrappers/rgf.h"
#include "src/base/differentiable_jpeg.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/random.h"
#include "tests/support/expect_says.h"
#include "tests/support/finite_difference.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_model.h"

namespace hijack::objective_test {
namespace {

constexpr int64_t kLongest = 12;

std::shared_ptr<const ToyModel> toy(uint64_t seed = 7) {
  return std::make_shared<ToyModel>(ToyOptions{.seed = seed, .float64 = true});
}

Tensor toy_origin() {
  return toy_image().to(at::kDouble);
}

/// A behavior that knows the toy model's replies to toy_contexts(5).
std::shared_ptr<const Behavior> prepared(const std::string& name, const std::string& target = "") {
  std::shared_ptr<Behavior> behavior = make_behavior({.name = name, .target = target});
  behavior->prepare(*toy(), toy_origin(), toy_contexts(5), kLongest);
  return behavior;
}

ObjectiveInputs inputs_for(std::shared_ptr<const Behavior> behavior) {
  return {.models = {toy()},
          .behavior = std::move(behavior),
          .contexts = toy_contexts(5),
          .origin = toy_origin(),
          .max_new_tokens = kLongest,
          .encoders = {encoder_of(toy())}};
}

class ObjectiveFile : public ::testing::Test {
 protected:
  ObjectiveFile() { save_png(toy_image(9), folder_.path() / "target.png"); }
  ObjectiveConfig config(const std::string& formula) const {
    return {.formula = formula, .feature_image = (folder_.path() / "target.png").string()};
  }
  support::TemporaryFolder folder_;
};

TEST_F(ObjectiveFile, GradientsMatchFiniteDifferences) {
  // an instruction of words that the toy model knows; its replies depend on every word of the prompt
  const auto instructed = prepared("disinformation", "yes");
  for (const std::string& name : objective_names()) {
    if (name == "delay_end") continue;  // its reply changes in jumps; below
    if (name == "transport") continue;  // its plan is constant by definition; below
    ObjectiveConfig one = config(name);
    if (name == "away") one.feature_image.clear();
    const auto objective = make_objective(one, inputs_for(instructed));
    const Tensor point = name == "away" ? toy_image(5).to(at::kDouble) : toy_origin();  // flat at the photo
    EXPECT_LT(worst_gradient_error([&](const Tensor& image) { return objective->loss(image, 0); }, point),
              1e-6)
        << name;
  }
  const auto sum = make_objective(config("0.5*behavior + -2*features"), inputs_for(instructed));
  EXPECT_LT(worst_gradient_error([&](const Tensor& image) { return sum->loss(image, 0); }, toy_origin()),
            1e-6);
}

TEST_F(ObjectiveFile, TransportHasTheGradientOfItsPlan) {
  const auto encoder = encoder_of(toy());
  const Tensor target = encoder->encode(load_image(folder_.path() / "target.png").to(at::kDouble)).patches[0];
  const auto centers_of = [&](const Tensor& tokens, const char* of) {
    Random random = Random(0).fork(of, 0);
    return token_centers(tokens, 10, random);
  };
  const Tensor wanted = centers_of(target, "target centers");
  const auto cost = [&](const Tensor& image) {
    const Tensor source = centers_of(encoder->encode(image).patches[0], "source centers");
    return 1 - unit_rows(source).matmul(unit_rows(wanted).t());
  };
  const Tensor plan = transport_plan(cost(toy_origin()));
  EXPECT_NEAR(plan.sum().item<double>(), 1, 1e-9);
  EXPECT_TRUE(at::allclose(plan.sum(0), at::full({10}, .1, at::kDouble), 1e-6, 1e-6));
  const auto fixed = [&](const Tensor& image) { return (plan * cost(image)).sum(); };
  EXPECT_LT(worst_gradient_error(fixed, toy_origin()), 1e-6);
  const auto objective = make_objective(config("transport"), inputs_for(prepared("string", "yes")));
  const auto gradient = [&](const auto& f) {
    const Tensor leaf = toy_origin().clone().requires_grad_(true);
    f(leaf).sum().backward();
    return leaf.grad();
  };
  EXPECT_TRUE(at::allclose(gradient([&](const Tensor& image) { return objective->loss(image, 0); }),
                           gradient(fixed), 1e-9, 1e-12));
}

TEST(TokenCenters, FewTokensAndEqualOnes) {
  Random random(1);
  const Tensor two = at::tensor({0.0, 1.0, 2.0, 3.0}).view({2, 2}).to(at::kDouble);
  EXPECT_EQ(token_centers(two, 10, random).size(0), 2);
  const Tensor same = at::ones({5, 3}, at::kDouble);
  EXPECT_TRUE(at::equal(token_centers(same, 3, random), at::ones({3, 3}, at::kDouble)));
  // four tokens in two groups that lie apart
  const Tensor four = at::tensor({0.0, 0.2, 10.0, 10.4}).view({4, 1}).to(at::kDouble);
  const Tensor centers = std::get<0>(token_centers(four, 2, random).flatten().sort());
  EXPECT_TRUE(at::allclose(centers, at::tensor({0.1, 10.2}).to(at::kDouble)));
}

TEST_F(ObjectiveFile, ObjectivesOverEncodersNeedThemAndATarget) {
  const auto behavior = prepared("string", "yes");
  ObjectiveInputs none = inputs_for(behavior);
  none.encoders.clear();
  EXPECT_SAYS(support::error_of([&] { make_objective(config("embedding"), none); }), "--surrogate");
  EXPECT_SAYS(support::error_of([&] { parse_objective({.formula = "embedding"}, *behavior); }),
              "--feature-image");
  EXPECT_SAYS(support::error_of(
                  [&] { parse_objective({.formula = "transport", .feature_text = "a cat"}, *behavior); }),
              "compares patches of pictures");
  EXPECT_SAYS(support::error_of([&] {
                make_objective({.formula = "embedding", .feature_text = "a cat"}, inputs_for(behavior));
              }),
              "reads no text");
  // beside an objective of the model, and around the encoders for cwa
  const Tensor image = toy_origin();
  const auto both = make_objective(config("embedding + 2*behavior"), inputs_for(behavior));
  const auto embedding = make_objective(config("embedding"), inputs_for(behavior)),
             words = make_objective(config("behavior"), inputs_for(behavior));
  EXPECT_NEAR(both->loss(image, 0).item<double>(),
              embedding->loss(image, 0).item<double>() + 2 * words->loss(image, 0).item<double>(), 1e-9);
  ObjectiveInputs turns = inputs_for(behavior);
  turns.in_turns = true;
  turns.encoders.push_back(encoder_of(toy(8)));
  const auto cycle = make_objective(config("embedding"), turns);
  EXPECT_NEAR(cycle->loss(image, 0).item<double>(),
              (cycle->loss(image, 1).item<double>() + cycle->loss(image, 2).item<double>()) / 2, 1e-12);
  EXPECT_SAYS(support::error_of([&] { make_objective(config("embedding + behavior"), turns); }), "not both");
}

TEST(Windows, AreSharesOfTheArea) {
  EXPECT_TRUE(parse_window("", "--source-crop").whole());
  EXPECT_EQ(parse_window("0.5", "--source-crop").most, 1);
  for (const char* wrong : {"0", "1.5", "a", "0.9-0.5", "0.5-", "-", "0.5-0.9-1"})
    EXPECT_SAYS(support::error_of([&] { parse_window(wrong, "--source-crop"); }), "--source-crop");
  Random random(3);
  const Tensor image = toy_image();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(random_window(image, {.5, .9}, random).sizes(), image.sizes());
  const Tensor wide = at::ones({1, 3, 4, 64});
  EXPECT_EQ(random_window(wide, {.9, 1}, random).sizes(), wide.sizes())
      << "no window of the ratio: the middle";
  EXPECT_TRUE(at::equal(random_turn(image, 0, random), image));
}

TEST_F(ObjectiveFile, FeaturesOfALayerAndOfAText) {
  const auto behavior = prepared("string", "yes");
  const auto made = [&](const ObjectiveConfig& config) {
    return make_objective(config, inputs_for(behavior));
  };
  for (const std::string name : {"features", "features_squared"}) {
    ObjectiveConfig picture = config(name);
    picture.feature_layer = 1;
    const ObjectiveConfig text{.formula = name, .feature_text = "is it red", .feature_layer = 1};
    const ObjectiveConfig words{.formula = name, .feature_text = "is it red"};
    for (const ObjectiveConfig& one : {picture, text, words}) {
      const auto objective = made(one);
      const auto loss = [&](const Tensor& image) { return objective->loss(image, 0); };
      EXPECT_LT(worst_gradient_error(loss, toy_origin()), 1e-6) << name << " " << one.feature_text;
    }
    const Tensor target = load_image(folder_.path() / "target.png").to(at::kDouble);
    EXPECT_NEAR(made(picture)->loss(target, 0).item<double>(), 0, 1e-6);
    EXPECT_NE(made(text)->loss(target, 0).item<double>(), made(words)->loss(target, 0).item<double>());
  }
  // by hand: the cosine between the means of the image's tokens and of the text's
  const Tensor image = toy()->image_features(toy()->preprocess(toy_origin())).mean(1);
  const Tensor words = toy()->text_states("is it red", 0).mean(1);
  EXPECT_NEAR(
      made({.formula = "features", .feature_text = "is it red"})->loss(toy_origin(), 0).item<double>(),
      1 - at::cosine_similarity(image, words, -1).item<double>(), 1e-12);
  const auto refused = [&](const ObjectiveConfig& config) {
    return support::error_of([&] { parse_objective(config, *behavior); });
  };
  ObjectiveConfig both = config("features");
  both.feature_text = "is it red";
  EXPECT_NE(refused(both).find("not both"), std::string::npos);
  EXPECT_NE(
      refused({.formula = "features", .feature_text = "yes", .feature_layer = -1}).find("--feature-layer"),
      std::string::npos);
}

TEST(DelayEnd, GradientMatchesFiniteDifferencesWhereTheReplyStays) {
  DelayEnd objective(toy(), toy_contexts(3), kLongest, 0, 1);
  const auto loss = [&](const Tensor& image) { return objective.loss(image, 0); };
  EXPECT_LT(worst_gradient_error(loss, toy_origin(), {.step = 1e-7}), 1e-4);
  const double value = loss(toy_origin()).item<double>();
  EXPECT_GT(value, 0);
  EXPECT_LT(value, 1);
}

TEST_F(ObjectiveFile, SumsAreSums) {
  const auto behavior = prepared("string", "yes");
  const auto value = [&](const std::string& formula) {
    return make_objective(config(formula), inputs_for(behavior))->loss(toy_origin(), 0).item<double>();
  };
  EXPECT_NEAR(value("behavior + 0.5*features"), value("behavior") + 0.5 * value("features"), 1e-12);
  EXPECT_NEAR(value("-1*margin"), -value("margin"), 1e-12);
  EXPECT_EQ(value(""), value("behavior"));
}

TEST(Objective, AnEnsembleIsTheMeanOverItsModels) {
  const auto behavior = prepared("string", "yes");
  ObjectiveInputs both = inputs_for(behavior), first = both, second = both;
  both.models = {toy(7), toy(8)};
  second.models = {toy(8)};
  const auto value = [&](const ObjectiveInputs& in) {
    return make_objective({}, in)->loss(toy_origin(), 0).item<double>();
  };
  EXPECT_NE(value(first), value(second));
  EXPECT_NEAR(value(both), (value(first) + value(second)) / 2, 1e-12);
}

TEST(Objective, PromptMatchingIsZeroOnlyForTheInstructedModel) {
  const auto behavior = prepared("disinformation", "yes");
  PromptMatching objective(toy(), *behavior, "yes", toy_contexts(5), toy_origin(), 0, 1);
  EXPECT_GT(objective.loss(toy_origin(), 0).item<double>(), 1e-6);
  // the student is asked what a defense made of the prompt, the teacher what the user said
  std::vector<Query> rewritten = toy_contexts(5);
  for (Query& query : rewritten) query.prompt = "yes " + query.prompt;  // the instruction
  PromptMatching helped(toy(), *behavior, "yes", {toy_contexts(5), rewritten}, toy_origin(), 0, 1);
  EXPECT_NEAR(helped.loss(toy_origin(), 0).item<double>(), 0, 1e-9);
  // the same logits on both sides
  const std::vector<Tensor> logits = {at::randn({3, 5}), at::randn({2, 5})};
  EXPECT_NEAR(mean_divergence(logits, logits).item<double>(), 0, 1e-6);
}

TEST(Objective, CrossEntropyIsTheMeanOverContextsOfTheMeanOverTokens) {
  const Tensor rows = Random(3).normal_tensor({4, 6}).to(at::kDouble);
  const std::vector<TokenIds> targets = {{5, 0, 2}, {4}};
  const auto own = [&](const Tensor& x) {
    return mean_cross_entropy(x.split_with_sizes({3, 1}, 0), targets);
  };
  const auto plain = [&](const Tensor& x) {
    const Tensor first = at::cross_entropy_loss(x.narrow(0, 0, 3), at::tensor(targets[0], at::kLong));
    return (first + at::cross_entropy_loss(x.narrow(0, 3, 1), at::tensor(targets[1], at::kLong))) / 2;
  };
  EXPECT_NEAR(own(rows).item<double>(), plain(rows).item<double>(), 1e-12);
  EXPECT_LT(worst_gradient_error(own, rows), 1e-7);
  EXPECT_LT(worst_gradient_error([&](const Tensor& x) { return own(x).square(); }, rows), 1e-7);
}

TEST(Objective, MarginIsZeroOnceEveryTokenLeads) {
  const Tensor logits = at::tensor({0.0, 3.0, 1.0, 2.5, 0.0, 0.0}).view({2, 3});
  EXPECT_NEAR(mean_margin({logits}, {{1, 0}}, 2).item<double>(), 0, 1e-12);
  EXPECT_NEAR(mean_margin({logits}, {{1, 0}}, 2.25).item<double>(), 0.125, 1e-12);
  EXPECT_NEAR(mean_margin({logits}, {{2, 0}}, 1).item<double>(), (1 + 3.0 - 1) / 2, 1e-12);
}

TEST_F(ObjectiveFile, FeaturesOfTheTargetItselfAreAtDistanceZero) {
  const Tensor target = load_image(folder_.path() / "target.png").to(at::kDouble);
  for (const std::string name : {"features", "features_squared"}) {
    const auto objective = make_objective(config(name), inputs_for(prepared("string", "yes")));
    EXPECT_NEAR(objective->loss(target, 0).item<double>(), 0, 1e-6) << name;
    EXPECT_GT(objective->loss(toy_origin(), 0).item<double>(), 1e-4) << name;
  }
}

TEST_F(ObjectiveFile, BadFormulasAreRefused) {
  const auto behavior = prepared("string", "yes");
  const auto refused = [&](const std::string& formula) {
    return support::error_of([&] { parse_objective(config(formula), *behavior); });
  };
  EXPECT_NE(refused("behaviour").find("did you mean 'behavior'"), std::string::npos);
  EXPECT_NE(refused("x*behavior").find("not a weight"), std::string::npos);
  EXPECT_NE(refused("0*behavior").find("not a weight"), std::string::npos);
  EXPECT_NE(refused("inf*behavior").find("not a weight"), std::string::npos);
  EXPECT_NE(refused("behavior +"), "");
  EXPECT_NE(refused("prompt").find("disinformation"), std::string::npos);
  std::string many = "behavior";
  for (int i = 0; i < 8; ++i) many += "+behavior";
  EXPECT_NE(refused(many).find("at most 8"), std::string::npos);
  ObjectiveConfig bare;
  bare.formula = "features";
  EXPECT_NE(support::error_of([&] { parse_objective(bare, *behavior); }).find("--feature-image"),
            std::string::npos);
}

TEST(Objective, EstimatedGradientsPointTheWayOfTheTrueOne) {
  const auto inner = [] { return make_objective({}, inputs_for(prepared("string", "yes"))); };
  Rgf black_box(inner(), 400, 1e-4, 3);
  const auto exact = inner();
  const Evaluation estimated = evaluate(black_box, toy_origin(), 0);
  const Evaluation truth = evaluate(*exact, toy_origin(), 0);
  EXPECT_NEAR(estimated.loss.item<double>(), truth.loss.item<double>(), 1e-12);
  const double cosine =
      at::cosine_similarity(estimated.gradient.flatten(), truth.gradient.flatten(), 0).item<double>();
  EXPECT_GT(cosine, .5);  // about sqrt(400 / (400 + 768))
  EXPECT_THROW(Rgf(inner(), 0, 1e-4, 1), Error);
}

TEST(Augmentation, GradientsMatchFiniteDifferencesAndSizesStay) {
  for (const std::string& name : augmentation_names()) {
    if (name == "jpeg") continue;  // rounds, straight through; below
    const Augmentation augmentation = parse_augmentation(name);
    for (uint64_t seed = 0; seed < 6; ++seed) {
      const auto loss = [&](const Tensor& image) {
        Random random(seed);
        const Tensor changed = augmentation(image, random);
        EXPECT_EQ(changed.sizes(), image.sizes()) << name;
        return (changed * at::arange(768, changed.options()).view_as(changed).sin()).sum();
      };
      // in the middle of the range, so that no clamp bends the function
      const Tensor image = 0.3 + 0.4 * toy_origin();
      EXPECT_LT(worst_gradient_error(loss, image), 1e-6) << name << " seed " << seed;
      Random random(seed);
      const Tensor changed = augmentation(toy_origin(), random);
      EXPECT_GE(changed.min().item<double>(), 0) << name;
      EXPECT_LE(changed.max().item<double>(), 1) << name;
    }
  }
}

TEST(Augmentation, JpegIsThatOfARandomQualityAndLetsTheGradientThrough) {
  const Augmentation augmentation = parse_augmentation("jpeg=70");
  std::set<double> values;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Random random(seed), same(seed);
    const Tensor image = toy_image().requires_grad_(true);
    const Tensor changed = augmentation(image, random);
    EXPECT_EQ(changed.sizes(), image.sizes());
    const int64_t quality = same.between(70, 100);
    EXPECT_TRUE(at::equal(changed, differentiable_jpeg(image, quality)));
    EXPECT_LT((changed - image).abs().mean().item<double>(), .05);
    changed.square().sum().backward();
    EXPECT_GT(image.grad().abs().sum().item<double>(), 0);
    values.insert(changed.sum().item<double>());
  }
  EXPECT_GT(values.size(), 3u);
  EXPECT_NE(support::error_of([] { parse_augmentation("jpeg=0"); }).find("from 1 to 100"), std::string::npos);
}

TEST(EnsembleTurns, TheMeanThenEachModelInTurn) {
  ObjectiveInputs inputs = inputs_for(prepared("string", "yes"));
  inputs.models.push_back(toy(8));
  const auto mean = make_objective({}, inputs);
  inputs.in_turns = true;
  const auto turns = make_objective({}, inputs);
  EXPECT_FALSE(turns->deterministic());
  const auto value = [&](Objective& objective, int64_t step) {
    return objective.loss(toy_origin(), step).item<double>();
  };
  const double both = value(*turns, 0), first = value(*turns, 1), second = value(*turns, 2);
  EXPECT_NEAR(both, value(*mean, 0), 1e-12);
  EXPECT_NEAR((first + second) / 2, both, 1e-12);
  EXPECT_NE(first, second);
  EXPECT_EQ(value(*turns, 3), both) << "the next cycle";
  const auto loss = [&](const Tensor& image) { return turns->loss(image, 2); };
  EXPECT_LT(worst_gradient_error(loss, toy_origin()), 1e-6);
}

TEST(Augmentation, BadSpecsAreRefused) {
  const auto refused = [](const std::string& text) {
    return support::error_of([&] { parse_augmentation(text); });
  };
  EXPECT_NE(refused("crob").find("did you mean 'crop'"), std::string::npos);
  EXPECT_NE(refused("crop=0").find("from 0.1 to 1"), std::string::npos);
  EXPECT_NE(refused("crop=x"), "");
  EXPECT_NE(refused("crop=nan"), "");
  EXPECT_NE(refused("noise=3").find("/255"), std::string::npos);
}

TEST(Augmented, IsTheMeanOfItsDrawsAndAFunctionOfTheStep) {
  const auto made = [](int64_t draws) {
    return Augmented(make_objective({}, inputs_for(prepared("string", "yes"))),
                     {.names = {"noise=16/255", "flip"}, .draws = draws}, 5);
  };
  Augmented many = made(4), again = made(4);
  EXPECT_FALSE(many.deterministic());
  EXPECT_EQ(many.loss(toy_origin(), 3).item<double>(), again.loss(toy_origin(), 3).item<double>());
  EXPECT_NE(many.loss(toy_origin(), 3).item<double>(), many.loss(toy_origin(), 4).item<double>());
  Augmented one = made(1);
  double mean = 0;  // draw k of step s is draw 0 of step 4 s + k
  for (int64_t k = 0; k < 4; ++k) mean += one.loss(toy_origin(), 12 + k).item<double>() / 4;
  EXPECT_NEAR(many.loss(toy_origin(), 3).item<double>(), mean, 1e-12);
}

}  // namespace
}  // namespace hijack::objective_test
