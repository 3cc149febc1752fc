#include "attacks/optimizers/square.h"

#include <cmath>

#include "attacks/optimizers/optimizer_state.h"
#include "src/base/error.h"
#include "src/base/random.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

/// Share of the pixels in a square: halved at these points of 10000 queries.
double share_at(int64_t step, int64_t steps, double share) {
  const double query = 10000.0 * static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, steps));
  for (const double bound : {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000})
    if (query > bound) share /= 2;
  return share;
}

/// -1 or 1 for each of `count` draws, as [1,count,1,1].
Tensor random_signs(Random& random, int64_t count, const Tensor& like) {
  std::vector<float> signs(static_cast<size_t>(count));
  for (float& sign : signs) sign = random.chance(.5) ? 1.0F : -1.0F;
  return uploaded(at::tensor(signs, at::kFloat), like.options()).view({1, count, 1, 1});
}

}  // namespace

Square::Square(const OptimizerConfig& config, const Constraint& constraint)
    : steps_(config.steps), first_share_(config.square_share), seed_(config.seed) {
  if (!std::holds_alternative<LinfBall>(constraint))
    throw Error("optimizer square moves squares to the corners of an l_inf ball, but " +
                describe(constraint) + " has none: use constraint linf, or optimizer pgd, adam or sgd.");
}

Tensor Square::stripes(const Tensor& origin, double epsilon, int64_t step) const {
  Random random = Random(seed_).fork("square", static_cast<uint64_t>(step));
  const int64_t width = origin.size(3);
  const Tensor signs = random_signs(random, 3 * width, origin).view({1, 3, 1, width});
  return (origin + epsilon * signs).clamp(0, 1);
}

Tensor Square::proposal(const Tensor& origin, double epsilon, int64_t step) const {
  Random random = Random(seed_).fork("square", static_cast<uint64_t>(step));
  const int64_t height = origin.size(2), width = origin.size(3), shorter = std::min(height, width);
  const double pixels = share_at(step, steps_, first_share_) * static_cast<double>(height * width);
  const auto side = std::clamp<int64_t>(std::llround(std::sqrt(pixels)), 1, shorter);
  const int64_t top = random.between(0, height - side), left = random.between(0, width - side);
  Tensor image = best_.clone();
  const auto inside = [&](const Tensor& x) { return x.narrow(2, top, side).narrow(3, left, side); };
  inside(image).copy_((inside(origin) + epsilon * random_signs(random, 3, origin)).clamp(0, 1));
  return image;
}

Tensor Square::next(const Evaluation& now, const Constraint& constraint, const Tensor& origin, int64_t step) {
  const at::NoGradGuard no_grad;
  const double epsilon = std::get<LinfBall>(constraint).epsilon;
  if (step == 0)
    return project(constraint, stripes(origin, epsilon, step).expand_as(now.image).clone(), origin);
  if (!best_.defined()) {
    best_ = now.image.clone();
    loss_ = now.loss.clone();
  }
  const Tensor better = now.loss < loss_;  // [N]
  best_ = at::where(better.view({-1, 1, 1, 1}), now.image, best_);
  loss_ = at::where(better, now.loss, loss_);
  return project(constraint, proposal(origin, epsilon, step), origin);
}

OptimizerState Square::state() const {
  return saved({{"best", best_}, {"loss", loss_}});
}

void Square::restore(const OptimizerState& state) {
  restore_into({{"best", &best_}, {"loss", &loss_}}, state);
}

}  // namespace hijack
