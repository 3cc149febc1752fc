#include "attacks/objectives/token_transport.h"

#include "models/image_encoder.h"

#include <ATen/ATen.h>

#include <numeric>

namespace hijack {
namespace {

constexpr int kMostRounds = 100;
constexpr double kSinkhornRegularization = .1, kSinkhornTolerance = .01;

/// [k,T] with 1 / size where a token belongs to a group.
Tensor memberships(const Tensor& group, int64_t clusters, const at::TensorOptions& options) {
  const Tensor ones = at::one_hot(group, clusters).t().to(options);  // [k,T]
  return ones / ones.sum(1, /*keepdim=*/true).clamp_min(1);
}

}  // namespace

Tensor token_centers(const Tensor& tokens, int64_t clusters, Random& random) {
  const int64_t count = tokens.size(0), wanted = std::min(clusters, count);
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  random.shuffle(order);
  order.resize(static_cast<size_t>(wanted));
  const Tensor fixed = tokens.detach();
  Tensor centers = fixed.index_select(0, at::tensor(order).to(tokens.device()));
  Tensor group, empty;
  for (int i = 0; i < kMostRounds; ++i) {
    const Tensor nearest = at::cdist(fixed, centers).argmin(1);  // [T]
    if (group.defined() && at::equal(nearest, group)) break;
    group = nearest;
    const Tensor share = memberships(group, wanted, fixed.options());
    empty = share.sum(1, /*keepdim=*/true) == 0;
    centers = at::where(empty, centers, share.matmul(fixed));
  }
  return at::where(empty, centers, memberships(group, wanted, fixed.options()).matmul(tokens));
}

Tensor transport_plan(const Tensor& cost) {
  const at::NoGradGuard no_gradients;
  const Tensor kernel = at::exp(-cost.detach() / kSinkhornRegularization);  // [n,m]
  const double n = static_cast<double>(cost.size(0)), m = static_cast<double>(cost.size(1));
  Tensor rows = at::ones({cost.size(0)}, kernel.options()),
         columns = at::ones({cost.size(1)}, kernel.options());
  for (int i = 0; i < kMostRounds; ++i) {
    const Tensor before = rows;
    rows = (1 / n) / kernel.mv(columns);
    columns = (1 / m) / kernel.t().mv(rows);
    if ((rows - before).abs().mean().item<double>() < kSinkhornTolerance) break;
  }
  return at::outer(rows, columns) * kernel;
}

Tensor transport_cost(const Tensor& a, const Tensor& b) {
  const Tensor cost = 1 - unit_rows(a).matmul(unit_rows(b).t());
  return (transport_plan(cost) * cost).sum();
}

}  // namespace hijack
