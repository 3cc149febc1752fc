// Auto-PGD against a reference implementation, step for step (tests/golden/apgd/make.py).
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "attacks/optimizers/apgd.h"
#include "models/checkpoint/safetensors.h"

namespace hijack::apgd_golden_test {
namespace {

class ApgdGolden : public testing::Test {
 protected:
  ApgdGolden() : golden_(load_safetensors(HIJACK_SOURCE_DIR "/tests/golden/apgd/golden.safetensors")) {}

  const Tensor& at_name(const std::string& name) const { return golden_.at(name); }

  /// The reference maximizes the cross-entropy; here its negative is the loss.
  Evaluation measure(const Tensor& image, const Tensor& label) const {
    const Tensor leaf = image.detach().clone().requires_grad_(true);
    const Tensor logits = leaf.flatten(1).mm(at_name("w1")).tanh().mm(at_name("w2"));
    const Tensor loss = -at::cross_entropy_loss(logits, label, {}, at::Reduction::None);
    return {leaf.detach(), loss.detach(), torch::autograd::grad({loss.sum()}, {leaf})[0]};
  }

  void compare(const std::string& name, bool euclidean) const {
    const auto part = [&](const char* key) { return at_name(name + "." + key); };
    const Tensor points = part("points"), losses = part("losses"), sizes = part("step_sizes");
    const Tensor origin = part("origin"), label = part("label");
    const double radius = part("eps").item<double>();
    const Constraint constraint = euclidean ? Constraint(L2Ball{radius}) : Constraint(LinfBall{radius});
    const int64_t steps = sizes.size(0);
    Apgd apgd({.name = "apgd", .steps = steps}, constraint);
    Tensor image = points[0];
    for (int64_t k = 0; k <= steps; ++k) {  // never put back onto the reference's path
      const Evaluation now = measure(image, label);
      ASSERT_LT((now.loss + losses[k]).abs().max().item<double>(), 1e-9) << name << " step " << k;
      image = apgd.next(now, constraint, origin, k);
      if (k == steps) break;
      ASSERT_LT((image - points[k + 1]).abs().max().item<double>(), 1e-9) << name << " step " << k;
      ASSERT_TRUE(at::equal(apgd.step_size().flatten(), sizes[k])) << name << " step " << k;
    }
    EXPECT_LT((apgd.candidate(image) - part("best")).abs().max().item<double>(), 1e-9);
  }

  TensorMap golden_;
};

TEST_F(ApgdGolden, LinfBall) {
  compare("linf", false);
}
TEST_F(ApgdGolden, LinfBallOverTheWholeSchedule) {
  compare("linf_long", false);
}
TEST_F(ApgdGolden, L2Ball) {
  compare("l2", true);
}

}  // namespace
}  // namespace hijack::apgd_golden_test
