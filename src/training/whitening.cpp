#include "src/training/whitening.h"

#include "src/pocket/sample.h"

namespace hijack {
namespace {

constexpr int64_t kSide = kScenePatch;

// Rows: DCT-II functions over a patch for each color axis, lowest frequencies first. [count, 3*14*14]
Tensor dct_basis(int64_t count) {
  const Tensor index = at::arange(kSide, at::kDouble);
  Tensor dct =
      at::cos((index.unsqueeze(0) + 0.5) * index.unsqueeze(1) * (M_PI / kSide)) * std::sqrt(2.0 / kSide);
  dct[0] *= std::sqrt(0.5);
  const double s2 = std::sqrt(0.5), s3 = 1 / std::sqrt(3.0), s6 = 1 / std::sqrt(6.0);
  const Tensor axes = at::tensor({s3, s3, s3, s2, 0.0, -s2, s6, -2 * s6, s6}, at::kDouble).view({3, 3});
  std::vector<std::pair<int64_t, int64_t>> frequencies;
  for (int64_t u = 0; u < kSide; ++u)
    for (int64_t v = 0; v < kSide; ++v) frequencies.emplace_back(u, v);
  std::stable_sort(frequencies.begin(), frequencies.end(),
                   [](auto a, auto b) { return a.first + a.second < b.first + b.second; });
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < count; ++i) {
    const auto [u, v] = frequencies[static_cast<size_t>(i / 3)];
    const Tensor wave = at::outer(dct[u], dct[v]).flatten();  // [196]
    rows.push_back(at::outer(axes[i % 3], wave).flatten());   // [588], channel first
  }
  return at::stack(rows).to(at::kFloat);
}

}  // namespace

Whitening::Whitening(uint64_t seed, int64_t images, at::Device device) {
  basis_ = dct_basis(kCoefficients);
  std::vector<Tensor> batch;
  for (int64_t i = 0; static_cast<int64_t>(batch.size()) < images; ++i) {
    const PocketSample sample = draw_sample(seed, static_cast<uint64_t>(i), Wording::kTrain);
    if (sample.has_image) batch.push_back(sample.image);
  }
  const Tensor all = raw(at::stack(batch).to(at::kFloat) / 255).flatten(0, 1);  // [N*64,120]
  mean_ = all.mean(0).to(device);
  scale_ = (all.std(0, /*unbiased=*/true) + 3.0 / 255).reciprocal().to(device);
  basis_ = basis_.to(device);
}

Tensor Whitening::raw(const Tensor& images) const {
  return at::linear(at::im2col(images, {kSide, kSide}, {1, 1}, {0, 0}, {kSide, kSide}).transpose(1, 2),
                    basis_);
}

Tensor Whitening::coefficients(const Tensor& images) const {
  return (raw(images) - mean_) * scale_;
}

Tensor Whitening::random_filters(int64_t count, Random& random) const {
  const Tensor mix =
      random.normal_tensor({count, kCoefficients}).to(basis_.device()) / std::sqrt(double{kCoefficients});
  return at::matmul(mix * scale_, basis_).view({count, 3, kSide, kSide});
}

}  // namespace hijack
