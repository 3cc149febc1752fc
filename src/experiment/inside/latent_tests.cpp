#include "src/experiment/inside/latent_tests.h"

#include <ATen/ATen.h>

#include <numeric>
#include <stdexcept>

#include "src/base/random.h"
#include "src/experiment/inside/learner.h"

namespace hijack {
namespace {

constexpr int64_t kDrawsAtOnce = 500;
constexpr double kRounding = 1e-9;  // relative: equal means may be summed in another order

/// Random signs, -1 or 1 [n,C].
Tensor random_signs(Random& random, int64_t n, int64_t clusters) {
  return random.uniform_tensor({n, clusters}, -1, 1).sign().to(at::kDouble);
}

Tensor columns_of(const Tensor& values, const std::vector<int64_t>& some) {
  return values.index_select(1, at::tensor(some, at::kLong)).to(at::kDouble);
}

/// By how much a mean lies outside of the range of the others.
double beyond(double value, double one, double other) {
  if (value > std::max(one, other)) return value - std::max(one, other);
  return std::min(value - std::min(one, other), 0.0);
}

}  // namespace

std::vector<double> sign_flip_p(const Tensor& differences, uint64_t seed, int64_t draws) {
  const Tensor wide = differences.to(at::kDouble);
  const Tensor observed = wide.sum(0).abs();
  const Tensor bound = observed * (1 - kRounding);
  Tensor as_far = at::ones_like(observed);
  Random random = Random(seed).fork("signs");
  for (int64_t done = 0; done < draws; done += kDrawsAtOnce) {
    const Tensor signs = random_signs(random, std::min(kDrawsAtOnce, draws - done), wide.size(0));
    as_far += (signs.matmul(wide).abs() >= bound).sum(0).to(at::kDouble);
  }
  return as_list(as_far / static_cast<double>(draws + 1));
}

std::vector<double> benjamini_hochberg(const std::vector<double>& p) {
  for (const double one : p)
    if (!(one >= 0 && one <= 1)) throw std::invalid_argument("a p value lies in [0,1]");
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double least = 1;
  for (size_t rank = p.size(); rank > 0; --rank) {
    const size_t i = order[rank - 1];
    least = std::min(least, p[i] * static_cast<double>(p.size()) / static_cast<double>(rank));
    adjusted[i] = least;
  }
  return adjusted;
}

LatentValues shuffled(const LatentValues& values, uint64_t seed) {
  Random random = Random(seed).fork("shuffled labels");
  if (!values.noise.defined()) {
    const Tensor signs = random_signs(random, values.clean.size(0), 1);  // [C,1]
    const Tensor half = (values.hijack + values.clean) / 2,
                 apart = (values.hijack - values.clean) / 2 * signs;
    return {half - apart, {}, half + apart};
  }
  // which of the three is called what, by cluster
  LatentValues mixed{values.clean.clone(), values.noise.clone(), values.hijack.clone()};
  for (int64_t c = 0; c < values.clean.size(0); ++c) {
    std::vector<Tensor> three = {values.clean[c], values.noise[c], values.hijack[c]};
    random.shuffle(three);
    mixed.clean[c].copy_(three[0]), mixed.noise[c].copy_(three[1]), mixed.hijack[c].copy_(three[2]);
  }
  return mixed;
}

int64_t LatentTests::found(double level) const {
  return std::count_if(q.begin(), q.end(), [&](double one) { return one <= level; });
}

LatentTests test_latents(const LatentValues& values, uint64_t seed) {
  LatentTests tests;
  Tensor active = (values.clean > 0).any(0).logical_or((values.hijack > 0).any(0));
  if (values.noise.defined()) active = active.logical_or((values.noise > 0).any(0));
  for (int64_t s = 0; s < active.size(0); ++s)
    if (active[s].item<bool>()) tests.tested.push_back(s);
  if (tests.tested.empty()) return tests;
  const Tensor hijack = columns_of(values.hijack, tests.tested);
  const Tensor clean = columns_of(values.clean, tests.tested);
  const Tensor noise = values.noise.defined() ? columns_of(values.noise, tests.tested) : clean;
  tests.p = sign_flip_p(hijack - clean, seed);
  if (values.noise.defined()) {
    const std::vector<double> other = sign_flip_p(hijack - noise, seed + 1);
    for (size_t i = 0; i < other.size(); ++i) tests.p[i] = std::max(tests.p[i], other[i]);
  }
  const Tensor means[] = {hijack.mean(0), clean.mean(0), noise.mean(0)};
  for (size_t i = 0; i < tests.tested.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    tests.difference.push_back(
        beyond(means[0][at].item<double>(), means[1][at].item<double>(), means[2][at].item<double>()));
    if (tests.difference.back() == 0) tests.p[i] = 1;  // between the others: another side of each
  }
  tests.q = benjamini_hochberg(tests.p);
  return tests;
}

}  // namespace hijack
