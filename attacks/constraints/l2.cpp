#include <ATen/ATen.h>

#include "attacks/constraints/balls.h"
#include "attacks/constraints/lattice.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

constexpr int kBisections = 30;  // the share of the difference is then known to 1e-9

/// How far outside still counts as on the sphere: rounding of the pixels themselves.
double slack(const L2Ball& ball, const Tensor& image) {
  return (image.scalar_type() == at::kDouble ? 1e-13 : 1e-6) * (1 + ball.radius);
}

/// steps, exact [n]: whole levels away from the origin, and what they were rounded from. Moves entries one
/// level toward 0 until the sum of squares is at most `allowed`; first those that rounding took farthest out.
Tensor shrunk(Tensor steps, const Tensor& exact, double allowed) {
  for (;;) {
    const double excess = steps.square().sum().item<double>() - allowed;
    if (excess <= 0) return steps;
    const Tensor order = at::argsort(steps.abs() - exact.abs(), /*stable=*/true, 0, /*descending=*/true);
    const Tensor gain = (2 * steps.abs() - 1).clamp_min(0).index_select(0, order).cumsum(0);
    const int64_t count = std::min(gain.lt(excess).sum().item<int64_t>() + 1, steps.numel());
    const Tensor chosen = order.slice(0, 0, count);
    steps = steps.index_add(0, chosen, steps.index_select(0, chosen).sign().neg());
  }
}

}  // namespace

Tensor l2_norms(const Tensor& difference) {
  return difference.to(at::kDouble).square().sum({1, 2, 3}, true).sqrt();
}

/// The nearest point of ball and [0,1] together is clamp(origin + s * difference) for some s <= 1 (the
/// optimality conditions with a multiplier for the ball). Its distance grows with s, so that bisection finds
/// the s at which it reaches the sphere.
Tensor project_onto(const L2Ball& ball, const Tensor& image, const Tensor& origin) {
  if (ball.radius == 0) return origin.clone();
  const Tensor difference = image - origin;
  const double limit = ball.radius + slack(ball, image);
  const auto at_share = [&](const Tensor& share) {
    return (origin + difference * share.to(origin.scalar_type())).clamp(0, 1);
  };
  const auto distance = [&](const Tensor& point) { return l2_norms(point - origin); };

  const Tensor clamped = image.clamp(0, 1);
  const Tensor inside = distance(clamped).le(limit);
  Tensor low = (ball.radius / l2_norms(difference).clamp_min(1e-300)).clamp_max(1);
  const Tensor clamp_acts = distance(at_share(low)).lt(ball.radius - slack(ball, image)).any();
  const auto read = read_numbers(at::stack({inside.all(), clamp_acts}));
  if (read[0] != 0) return clamped;
  Tensor high = at::ones_like(low);
  for (int i = 0; read[1] != 0 && i < kBisections; ++i) {
    const Tensor middle = (low + high) / 2;
    const Tensor fits = distance(at_share(middle)).le(ball.radius);
    low = at::where(fits, middle, low);
    high = at::where(fits, high, middle);
  }
  return at::where(inside, clamped, at_share(low));
}

Tensor lattice_onto(const L2Ball& ball, const Tensor& image, const Tensor& origin) {
  const Tensor center = levels(origin).to(at::kDouble);
  const Tensor exact = project_onto(ball, image, origin).to(at::kDouble) * kLevels - center;
  const double reach = ball.radius * kLevels * (1 + 1e-9);  // a radius that is a whole number of levels fits
  std::vector<Tensor> steps;
  for (int64_t n = 0; n < exact.size(0); ++n)
    steps.push_back(shrunk(exact[n].flatten().round(), exact[n].flatten(), reach * reach).view_as(exact[n]));
  return from_levels((center + at::stack(steps)).to(origin.options()));
}

/// A direction of equal chance; the distance is that of a uniform point, nearly always close to the radius.
Tensor point_in(const L2Ball& ball, const Tensor& origin, Random& random) {
  std::vector<Tensor> points;
  for (int64_t n = 0; n < origin.size(0); ++n) {
    const Tensor direction = uploaded(random.normal_tensor(origin[n].sizes()), origin.options());
    const double values = static_cast<double>(direction.numel());
    const double length = ball.radius * std::pow(random.uniform(), 1 / values);
    points.push_back(origin[n] + direction * (length / direction.to(at::kDouble).norm().item<double>()));
  }
  return project_onto(ball, at::stack(points), origin);
}

/// Signs of equal size everywhere; where the radius is no whole number of levels per value, a random share of
/// the values has one level more than the others.
Tensor noise_in(const L2Ball& ball, const Tensor& origin, Random& random) {
  const double values = static_cast<double>(origin[0].numel());
  const double square = std::pow(ball.radius * kLevels, 2) / values;  // mean over the values
  const double small = std::floor(std::sqrt(square));
  const double share = (square - small * small) / (2 * small + 1);
  const Tensor size = small + (uniform_like(origin, random) < share).to(origin.options());
  const Tensor signs = (uniform_like(origin, random) < 0.5).to(origin.options()) * 2 - 1;
  return lattice_onto(ball, from_levels((levels(origin) + signs * size).clamp(0, kLevels)), origin);
}

}  // namespace hijack
