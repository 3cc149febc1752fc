#include "src/experiment/inside/lasso.h"

#include <ATen/ATen.h>

namespace hijack {
namespace {

constexpr int kMostRounds = 10000;
constexpr double kStill = 1e-7;

double soft(double value, double limit) {
  return value > limit ? value - limit : (value < -limit ? value + limit : 0);
}

}  // namespace

Tensor lasso(const Tensor& x, const Tensor& y, double alpha) {
  TORCH_CHECK(x.dim() == 2 && y.dim() == 1 && x.size(0) == y.size(0) && x.size(0) > 0,
              "lasso takes [n,F], [n]");
  const Tensor columns = (x - x.mean(0, true)).to(at::kDouble).t().contiguous();  // [F,n]
  Tensor left = (y - y.mean()).to(at::kDouble).clone();
  const auto n = static_cast<double>(x.size(0));
  const Tensor squares = columns.square().sum(1) / n;
  Tensor w = at::zeros({columns.size(0)}, at::kDouble);
  auto weights = w.accessor<double, 1>();
  const auto sizes = squares.accessor<double, 1>();
  for (int round = 0; round < kMostRounds; ++round) {
    double moved = 0, largest = 0;
    for (int64_t f = 0; f < w.size(0); ++f) {
      if (sizes[f] <= 0) continue;
      const double inner = columns[f].dot(left).item<double>() / n;
      const double now = soft(inner + sizes[f] * weights[f], alpha) / sizes[f];
      const double step = now - weights[f];
      if (step != 0) left.sub_(columns[f], step);
      weights[f] = now;
      moved = std::max(moved, std::abs(step)), largest = std::max(largest, std::abs(now));
    }
    if (moved <= kStill * largest) break;
  }
  return w;
}

}  // namespace hijack
