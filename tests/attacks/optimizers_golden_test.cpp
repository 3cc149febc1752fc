// MI-FGSM, Square, RGF and MI-CWA against references written from the papers, step for step
// (tests/golden/{mi_fgsm,square,rgf,cwa}/make.py). An attack is never put back onto the reference's path.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attacks/loop/evaluate.h"
#include "attacks/objectives/ensemble_turns.h"
#include "attacks/optimizers/cwa.h"
#include "attacks/optimizers/pgd.h"
#include "attacks/optimizers/square.h"
#include "attacks/wrappers/rgf.h"
#include "tests/support/golden_attack.h"

namespace hijack::optimizers_golden_test {
namespace {

std::unique_ptr<GoldenClassifier> classifier(const TensorMap& golden, const std::string& suffix = "") {
  return std::make_unique<GoldenClassifier>(golden.at("w1" + suffix), golden.at("w2" + suffix),
                                            golden.at("label"));
}

TEST(MiFgsmGolden, AccumulatesNormalizedGradientsAsPublished) {
  const TensorMap golden = load_golden("mi_fgsm");
  const auto network = classifier(golden);
  const Tensor origin = golden.at("origin");
  for (const std::string name : {"published", "clipped"}) {
    const Tensor points = golden.at(name + ".points");
    const auto numbers = golden_numbers(golden, name + ".numbers");
    const Constraint ball = LinfBall{numbers[1]};
    Pgd pgd({.steps = points.size(0), .step_size = numbers[2], .momentum = numbers[0], .final_step = 1},
            ball);
    Tensor image = origin;
    for (int64_t k = 0; k < points.size(0); ++k) {
      image = pgd.next(evaluate(*network, image, k, true), ball, origin, k);
      ASSERT_LT(difference(image, points[k]), 1e-12) << name << " step " << k;
    }
  }
}

TEST(SquareGolden, ProposesAndKeepsWhatThePaperDoes) {
  const TensorMap golden = load_golden("square");
  const auto network = classifier(golden);
  const Tensor origin = golden.at("origin");
  for (const std::string name : {"wide", "published"}) {
    const Tensor losses = golden.at(name + ".losses");  // [queries,N]
    const auto numbers = golden_numbers(golden, name + ".numbers");
    const Constraint ball = LinfBall{numbers[1]};
    Square square(
        {.steps = losses.size(0), .square_share = numbers[0], .seed = static_cast<uint64_t>(numbers[3])},
        ball);
    Tensor image = origin;
    for (int64_t k = 0; k <= losses.size(0); ++k) {  // the photo itself is measured first, and not kept
      const Evaluation now = evaluate(*network, image, k, false);
      if (k > 0) {
        ASSERT_LT(difference(now.loss, losses[k - 1]), 1e-9) << name << " query " << k;
      }
      image = square.next(now, ball, origin, k);
    }
    EXPECT_LT(difference(square.candidate(image), golden.at(name + ".best")), 1e-12) << name;
  }
}

TEST(RgfGolden, EstimatesTheGradientFromLosses) {
  const TensorMap golden = load_golden("rgf");
  const auto numbers = golden_numbers(golden, "numbers");
  Rgf network(classifier(golden), static_cast<int64_t>(numbers[0]), numbers[1],
              static_cast<uint64_t>(numbers[4]));
  const Tensor origin = golden.at("origin"), points = golden.at("points");
  const Constraint ball = LinfBall{numbers[2]};
  Pgd pgd({.steps = points.size(0), .step_size = numbers[3], .momentum = 0, .final_step = 1}, ball);
  Tensor image = origin;
  for (int64_t k = 0; k < points.size(0); ++k) {
    const Evaluation now = evaluate(network, image, k, true);
    const Tensor wanted = golden.at("gradients")[k];
    ASSERT_LT(difference(now.gradient, wanted), 1e-6 * wanted.abs().max().item<double>()) << k;
    image = pgd.next(now, ball, origin, k);
    ASSERT_LT(difference(image, points[k]), 1e-12) << k;
  }
}

void compare_cwa(const std::string& name, bool defaults) {
  const TensorMap golden = load_golden("cwa");
  std::vector<std::unique_ptr<Objective>> models;
  for (const char* number : {".0", ".1", ".2"}) models.push_back(classifier(golden, number));
  const auto count = static_cast<int64_t>(models.size());
  EnsembleTurns turns(std::move(models));
  const Tensor origin = golden.at("origin"), points = golden.at(name + ".points");
  const auto numbers = golden_numbers(golden, name + ".numbers");
  const Constraint ball = LinfBall{numbers[1]};
  OptimizerConfig config{
      .name = "cwa", .steps = points.size(0) * (count + 1), .momentum = numbers[0], .models = count};
  if (!defaults) {
    config.step_size = numbers[2];
    config.cwa_inner = numbers[4] / std::sqrt(static_cast<double>(origin[0].numel()));
  }
  Cwa cwa(config, ball);
  Tensor image = origin;
  for (int64_t k = 0; k < config.steps; ++k) {
    image = cwa.next(evaluate(turns, image, k, true), ball, origin, k);
    if (k % (count + 1) == count) {
      ASSERT_LT(difference(image, points[k / (count + 1)]), 1e-12) << name << " step " << k;
      EXPECT_TRUE(at::equal(cwa.candidate(image), image));
    }
    OptimizerState state = cwa.state();  // nothing else is remembered
    cwa = Cwa(config, ball);
    cwa.restore(state);
  }
}

TEST(CwaGolden, TheDefaultsInAnLinfBallAreThePublishedNumbers) {
  compare_cwa("published", true);
}
TEST(CwaGolden, StepsOfOnesOwn) {
  compare_cwa("small", false);
}

}  // namespace
}  // namespace hijack::optimizers_golden_test
