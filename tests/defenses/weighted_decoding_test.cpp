// Defenses that change how a model replies: CoCA and steering, against their formulas.
#include <gtest/gtest.h>

#include "defenses/decoding/coca.h"
#include "defenses/decoding/steering.h"
#include "defenses/make_defense.h"
#include "defenses/pipeline.h"
#include "models/load_model.h"
#include "models/state_hooks.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_model.h"

namespace hijack::decoding_defenses_test {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden";

class DecodingDefenses : public testing::Test {
 protected:
  DecodingDefenses()
      : model_(load_model(kGolden / "llava/siglip", {.dtype = "float32"})),
        hooks_(state_hooks_of(*model_)),
        pixels_(model_->preprocess(
            load_image(std::filesystem::path(HIJACK_SOURCE_DIR) / "samples/images/chelsea.png"))),
        resources_({.model = model_, .model_sha256 = [] { return std::string("the hash"); }}) {}

  std::string file_of(const SteeringVectors& vectors, const std::string& layer = "1",
                      const std::string& hash = "the hash") const {
    const std::string file = (folder_.path() / ("steering" + std::to_string(files_++))).string();
    save_trained(file, "steering", vectors.tensors(),
                 {{"model", "tiny"}, {"model_sha256", hash}, {"layer", layer}});
    return file;
  }
  std::shared_ptr<const Defense> steering(const std::string& file, const std::string& more = "") const {
    return make_defense(parse_defense("steering:trained=" + file + more), resources_);
  }
  std::string refusal_of(const std::string& file, const std::string& more = "") const {
    try {
      steering(file, more);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  SteeringVectors vectors(double size = 1) const {
    Random random(3);
    const auto layers = hooks_.layers(), width = hooks_.width();
    return {random.normal_tensor({layers, width}) * size, random.normal_tensor({layers, width}) * 0.1};
  }
  std::vector<Tensor> logits(const VisionLanguageModel& model) const {
    const std::vector<TokenIds> targets(queries_.size(), model_->target_ids("abcd"));
    return model.target_logits(pixels_, queries_, targets);
  }
  std::vector<Generated> replies(const VisionLanguageModel& model) const {
    return model.generate(pixels_, queries_, {.max_new_tokens = 6});
  }

  support::TemporaryFolder folder_;
  mutable int files_ = 0;
  std::shared_ptr<const VisionLanguageModel> model_;
  const StateHooks& hooks_;
  Pixels pixels_;
  DefenseResources resources_;
  std::vector<Query> queries_ = {{.prompt = "what is it"}, {.prompt = "who"}};
};

TEST_F(DecodingDefenses, CocaPushesAwayFromTheLogitsWithoutPrinciple) {
  const auto coca = make_defense(parse_defense("coca:alpha=3,text=be good,place=after"), resources_);
  const auto changed = stack_model({coca}, model_);
  std::vector<Query> safe = queries_;
  for (Query& query : safe) query.prompt += "\nbe good";
  const std::vector<TokenIds> targets(2, model_->target_ids("abcd"));
  const auto with = model_->target_logits(pixels_, safe, targets), without = logits(*model_),
             found = logits(*changed);
  for (size_t i = 0; i < found.size(); ++i) {
    const Tensor wanted = with[i] + 3 * (with[i] - without[i]);
    EXPECT_LT((found[i] - wanted).abs().max().item<double>(), 1e-4 * wanted.abs().max().item<double>());
  }
  // without a contrast it is a safety prompt
  const auto plain =
      stack_model({make_defense(parse_defense("coca:alpha=0,text=be good,place=after"), resources_)}, model_);
  EXPECT_EQ(replies(*plain), model_->generate(pixels_, safe, {.max_new_tokens = 6}));
  EXPECT_NE(replies(*changed), replies(*model_));
}

TEST_F(DecodingDefenses, SteeredStatesAreThoseOfTheFormula) {
  Random random(7);
  const Tensor h = random.normal_tensor({2, 5, 8}), v = random.normal_tensor({8}) * 3,
               reference = random.normal_tensor({8});
  const Tensor found = steered(h, v, reference, 2.5);
  int moved = 0;
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t t = 0; t < 5; ++t) {
      double dot = 0, from2 = 0, v2 = 0, h2 = 0;
      for (int64_t d = 0; d < 8; ++d) {
        const double hd = h[n][t][d].item<double>(), vd = v[d].item<double>(),
                     from = hd - reference[d].item<double>();
        dot += from * vd, from2 += from * from, v2 += vd * vd, h2 += hd * hd;
      }
      const double share = std::clamp(dot / std::sqrt(from2 * v2), 0.0, 1.0);
      moved += share > 0;
      for (int64_t d = 0; d < 8; ++d) {
        const double wanted =
            h[n][t][d].item<double>() - 2.5 * share * std::sqrt(h2) * v[d].item<double>() / std::sqrt(v2);
        EXPECT_NEAR(found[n][t][d].item<double>(), wanted, 1e-5);
      }
    }
  EXPECT_GT(moved, 0);
  EXPECT_LT(moved, 10) << "states on the other side stay";
}

TEST_F(DecodingDefenses, SteeringChangesRepliesAndLogitsAtTokensThatChooseTheReply) {
  const std::string file = file_of(vectors());
  const auto steered_model = stack_model({steering(file, ",alpha=4,layer=2")}, model_);
  const SteeringVectors known = vectors();
  const auto change = [&](const Tensor& h) {
    return steered(h, known.directions[1], known.references[1], 4);
  };
  const std::vector<StateChange> changes = {{{HookPoint::kResidual, 2}, change, TokenChoice::kLast},
                                            {{HookPoint::kResidual, 2}, change, TokenChoice::kReply}};
  const std::vector<TokenIds> targets(2, model_->target_ids("abcd"));
  const auto wanted = hooks_.changed_target_logits(pixels_, queries_, targets, changes),
             found = logits(*steered_model), plain = logits(*model_);
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_TRUE(at::equal(found[i], wanted[i]));
    EXPECT_FALSE(at::equal(found[i], plain[i]));
  }
  EXPECT_EQ(replies(*steered_model),
            hooks_.changed_generate(pixels_, queries_, {.max_new_tokens = 6}, changes));
  // away from nothing: as it was
  const auto still = stack_model({steering(file, ",alpha=0")}, model_);
  EXPECT_EQ(replies(*still), replies(*model_));
}

TEST_F(DecodingDefenses, BothTogetherAndGradientsThroughThem) {
  const auto coca = make_defense(parse_defense("coca:alpha=1"), resources_);
  const auto both = stack_model({coca, steering(file_of(vectors()), ",alpha=1")}, model_);
  EXPECT_FALSE(at::equal(logits(*both)[0], logits(*stack_model({coca}, model_))[0]));
  const TokenIds target = model_->target_ids("abc");
  const auto loss = [&](const Tensor& values) {
    const Pixels pixels{values, pixels_.image_height, pixels_.image_width};
    return at::cross_entropy_loss(both->target_logits(pixels, {queries_.data(), 1}, {&target, 1}).front(),
                                  at::tensor(target, at::kLong));
  };
  const Tensor leaf = pixels_.values.detach().clone().requires_grad_(true);
  const Tensor gradient = torch::autograd::grad({loss(leaf)}, {leaf})[0];
  const at::NoGradGuard no_gradients;
  const Tensor along = gradient / gradient.norm();
  constexpr double kStep = 1e-2;
  const double slope =
      (loss(pixels_.values + kStep * along) - loss(pixels_.values - kStep * along)).item<double>() /
      (2 * kStep);
  EXPECT_NEAR(slope / gradient.norm().item<double>(), 1, 2e-2);
}

TEST_F(DecodingDefenses, OtherModelsLayersAndWidthsAreRefused) {
  EXPECT_EQ(refusal_of(file_of(vectors())), "");
  EXPECT_NE(refusal_of(file_of(vectors()), ",layer=99").find("no layer 99"), std::string::npos);
  EXPECT_NE(refusal_of(file_of(vectors(), "99")).find("'layer' must be from 1"), std::string::npos);
  EXPECT_NE(refusal_of(file_of(vectors(), "1", "another")).find("trained on another model"),
            std::string::npos);
  const SteeringVectors wide{at::ones({2, 25}), at::zeros({2, 25})};
  EXPECT_NE(refusal_of(file_of(wide)).find("width 25"), std::string::npos);
  const SteeringVectors infinite = vectors(std::numeric_limits<double>::infinity());
  EXPECT_NE(refusal_of(file_of(infinite)).find("no finite float32 matrix"), std::string::npos);
  const SteeringVectors uneven{at::ones({2, 24}), at::zeros({1, 24})};
  EXPECT_NE(refusal_of(file_of(uneven)).find("different shapes"), std::string::npos);
  EXPECT_THROW(parse_defense("steering:alpha=-1"), Error);
  EXPECT_THROW(parse_defense("coca:place=below"), Error);
  EXPECT_THROW(make_defense(parse_defense("steering"), resources_), Error);
}

TEST_F(DecodingDefenses, AModelThatDoesNotLetItIsNamed) {
  const auto coca = make_defense(parse_defense("coca"), resources_);
  EXPECT_THROW(stack_model({coca}, std::make_shared<ToyModel>()), Error);
  EXPECT_EQ(stack_model({make_defense(parse_defense("blur"), resources_)}, model_), model_)
      << "other defenses leave the model alone";
}

}  // namespace
}  // namespace hijack::decoding_defenses_test
