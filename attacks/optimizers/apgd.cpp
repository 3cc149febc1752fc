#include "attacks/optimizers/apgd.h"

#include <ATen/ATen.h>

#include "attacks/optimizers/direction.h"
#include "attacks/optimizers/optimizer_state.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr double kMomentum = 0.75;  // alpha of the paper
constexpr double kRho = 0.75;

int64_t share_of(double share, int64_t steps) {
  return std::max<int64_t>(1, static_cast<int64_t>(share * static_cast<double>(steps)));
}

void check(const Constraint& constraint) {
  if (std::holds_alternative<MovingPatch>(constraint))
    throw Error(
        "optimizer apgd compares losses between steps, but constraint moving_patch puts the patch elsewhere "
        "at each: use optimizer pgd, adam or sgd.");
  if (!std::holds_alternative<LinfBall>(constraint) && !std::holds_alternative<L2Ball>(constraint))
    throw Error("optimizer apgd takes its steps from the radius of a ball, but " + describe(constraint) +
                " has none: use constraint linf or l2, or optimizer pgd, adam or sgd.");
}

}  // namespace

Apgd::Apgd(const OptimizerConfig& config, const Constraint& constraint)
    : first_span_(share_of(.22, config.steps)),
      smallest_span_(share_of(.06, config.steps)),
      span_decrease_(share_of(.03, config.steps)),
      alpha_(config.apgd_alpha) {
  check(constraint);
}

Tensor Apgd::next(const Evaluation& now, const Constraint& constraint, const Tensor& origin, int64_t step) {
  const at::NoGradGuard no_grad;
  Point point{now.image, now.gradient};
  if (step == 0) {
    begin(now, constraint);
  } else {
    record(now);
    if (counters_[0].item<int64_t>() == counters_[1].item<int64_t>()) point = at_checkpoint(now);
  }
  const Tensor along =
      project(constraint, point.image - step_size_ * steepest(constraint, point.gradient), origin);
  const Tensor moved = point.image - previous_image_;
  const double share = step == 0 ? 1 : kMomentum;
  previous_image_ = point.image;
  return project(constraint, point.image + (along - point.image) * share + moved * (1 - share), origin);
}

void Apgd::begin(const Evaluation& now, const Constraint& constraint) {
  const Tensor loss = now.loss.view({-1, 1, 1, 1});
  step_size_ = at::full_like(loss, alpha_ * radius(constraint), now.image.options());
  previous_image_ = best_image_ = now.image;
  best_gradient_ = now.gradient;
  best_loss_ = last_loss_ = checkpoint_loss_ = loss;
  halved_ = at::ones_like(loss);  // the first checkpoint judges by the falls alone
  falls_ = at::zeros_like(loss);
  counters_ = at::tensor({int64_t{0}, first_span_}, at::kLong);
}

void Apgd::record(const Evaluation& now) {
  const Tensor loss = now.loss.view({-1, 1, 1, 1});
  falls_ = falls_ + loss.lt(last_loss_);
  last_loss_ = loss;
  const Tensor better = loss.lt(best_loss_);
  best_image_ = at::where(better, now.image, best_image_);
  best_gradient_ = at::where(better, now.gradient, best_gradient_);
  best_loss_ = at::where(better, loss, best_loss_);
  counters_ = counters_ + at::tensor({1, 0}, at::kLong);
}

Apgd::Point Apgd::at_checkpoint(const Evaluation& now) {
  const int64_t span = counters_[1].item<int64_t>();
  const Tensor few = falls_.le(kRho * static_cast<double>(span));
  const Tensor stuck = halved_.eq(0).logical_and(best_loss_.ge(checkpoint_loss_));
  const Tensor halve = few.logical_or(stuck);
  step_size_ = at::where(halve, step_size_ / 2, step_size_);
  halved_ = halve.to(falls_.scalar_type());
  checkpoint_loss_ = best_loss_;
  falls_ = at::zeros_like(falls_);
  counters_ = at::tensor({int64_t{0}, std::max(smallest_span_, span - span_decrease_)}, at::kLong);
  return {at::where(halve, best_image_, now.image), at::where(halve, best_gradient_, now.gradient)};
}

Tensor Apgd::candidate(const Tensor& image) const {
  return best_image_.defined() ? best_image_ : image;
}

OptimizerState Apgd::state() const {
  return saved({{"step_size", step_size_},
                {"previous_image", previous_image_},
                {"best_image", best_image_},
                {"best_gradient", best_gradient_},
                {"best_loss", best_loss_},
                {"last_loss", last_loss_},
                {"checkpoint_loss", checkpoint_loss_},
                {"halved", halved_},
                {"falls", falls_},
                {"counters", counters_}});
}

void Apgd::restore(const OptimizerState& state) {
  restore_into({{"step_size", &step_size_},
                {"previous_image", &previous_image_},
                {"best_image", &best_image_},
                {"best_gradient", &best_gradient_},
                {"best_loss", &best_loss_},
                {"last_loss", &last_loss_},
                {"checkpoint_loss", &checkpoint_loss_},
                {"halved", &halved_},
                {"falls", &falls_},
                {"counters", &counters_}},
               state);
  // Loaded onto the device of the image; the counters are read by the CPU.
  if (counters_.defined()) counters_ = counters_.cpu();
}

}  // namespace hijack
