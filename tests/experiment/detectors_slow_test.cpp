// Every detector of every shipped recipe on the shipped model: its threshold lies below its ceiling, and
// benign submissions that it has not seen pass about as often as they must.
#include <gtest/gtest.h>

#include "defenses/kinds.h"
#include "models/load_model.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/experiment/plan/dataset.h"
#include "src/experiment/plan/recipe.h"
#include "src/experiment/plan/shipped.h"
#include "src/experiment/run/attack_space.h"
#include "src/experiment/run/defense_setup.h"
#include "src/pocket/contexts.h"

namespace hijack::detectors_slow_test {
namespace {

constexpr int64_t kHeldOut = 120;
constexpr uint64_t kSeed = 0x4e1d;  // neither of the utility questions nor of calibration

/// New questions about new scenes; questions without picture beside the attacked photo, as `evaluate` asks.
std::vector<Submission> held_out(const VisionLanguageModel& model, const std::string& space,
                                 const Tensor& photo) {
  std::vector<Submission> all;
  for (const UtilityItem& item : utility_set(Texts::kNatural, kHeldOut, kSeed))
    all.push_back(
        {item.image.defined() ? as_submitted(model, space, from_bytes(item.image).unsqueeze(0)) : photo,
         {.prompt = item.exercise.prompt}});
  return all;
}

constexpr int64_t kReplyTokens = 48;

class ShippedDetectors : public ::testing::TestWithParam<std::string> {};

TEST_P(ShippedDetectors, CanFireAndPassHeldOutBenignSubmissions) {
  const Recipe recipe = read_recipe(GetParam(), shipped_recipes());
  const AttackConfig& config = recipe.plans.at(0).config;
  const auto model = std::shared_ptr<const VisionLanguageModel>(load_model(config.model, {}));
  const std::vector<Context> prompts = read_contexts(config.contexts).calibration;
  const std::vector<Tensor> photos = attacked_photos(*model, config);
  const double rate = recipe.evaluate->defense.false_positive_rate;
  const auto submissions = held_out(*model, config.space, photos[0]);
  const Responder bare = remembered(bare_model(model, {kReplyTokens}));
  DefenseMaker maker;
  for (const std::string& spec : recipe.evaluate->defense.defenses) {
    const auto defense = maker.make({spec}, {model, config, prompts, photos, kReplyTokens, rate}).at(0);
    if (defense->calibrations().empty()) continue;
    const Calibration made = defense->calibrations()[0];
    int64_t flagged = 0;
    for (const Reply& reply : defense->answer(submissions, bare))
      flagged += reply.trace.at(0).score > made.threshold;
    std::cout << GetParam() << " | " << made.name << " | threshold " << made.threshold << " | n " << made.n
              << " | alpha " << made.alpha << " | ceiling " << made.ceiling << " | held out " << flagged
              << "/" << kHeldOut << std::endl;
    EXPECT_TRUE(made.can_fire()) << spec;
    // twice the rate asked for, and three standard deviations: questions are not drawn like the prompts
    const double expected = 2 * made.alpha * kHeldOut;
    EXPECT_TRUE(made.n == 0 || static_cast<double>(flagged) <= expected + 3 * std::sqrt(expected)) << spec;
  }
}

/// hidden-text is left out: Tesseract takes minutes for its calibration pictures, and a report flags a
/// detector that cannot fire. So are the recipes of the real chat model, which takes hours for theirs and is
/// not there before `make smollm2`: reading such a recipe looks for the model.
std::vector<std::string> recipes_with_detectors() {
  std::vector<std::string> names;
  for (const std::string& name : recipe_names(shipped_recipes())) {
    const std::string text = read_file(shipped_recipes() / (name + ".toml"));
    if (name != "hidden-text" && text.find("\"smollm2") == std::string::npos &&
        read_recipe(name, shipped_recipes()).evaluate)
      names.push_back(name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Recipes, ShippedDetectors, ::testing::ValuesIn(recipes_with_detectors()),
                         [](const auto& recipe) {
                           std::string name = recipe.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace hijack::detectors_slow_test
