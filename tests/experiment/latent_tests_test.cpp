// Which latents a hijack changes: tests that find what is there, and nothing where labels mean nothing.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "src/base/random.h"
#include "src/experiment/inside/heat_map.h"
#include "src/experiment/inside/latent_tests.h"
#include "src/experiment/inside/separation.h"

namespace hijack::latent_tests_test {
namespace {

constexpr int64_t kClusters = 24, kLatents = 400, kPlanted = 12;

/// Sparse strengths; the first kPlanted latents are stronger under the hijack.
LatentValues planted(double size, uint64_t seed = 5) {
  Random random(seed);
  const Tensor usual = 0.5 * random.normal_tensor({1, kLatents});
  const auto draw = [&] { return (random.normal_tensor({kClusters, kLatents}) + usual).relu(); };
  LatentValues values{draw(), draw(), draw()};
  const Tensor common = random.normal_tensor({kClusters, 1}).abs();  // what a context does in all conditions
  for (Tensor* one : {&values.clean, &values.noise, &values.hijack}) *one = *one + common * 0.3;
  values.hijack.narrow(1, 0, kPlanted).add_(size);
  return values;
}

TEST(SignFlips, GiveTheShareOfSignsThatAreAsFar) {
  // of 8 equal differences, 2 of 2^8 sign changes are as far from 0; of alternating ones all are
  const Tensor differences = at::stack({at::ones({8}), at::tensor({1., -1., 1., -1., 1., -1., 1., -1.})}, 1);
  const std::vector<double> p = sign_flip_p(differences, 1);
  EXPECT_NEAR(p[0], 2.0 / 256, 2e-3);
  EXPECT_EQ(p[1], 1);
  EXPECT_EQ(p, sign_flip_p(differences, 1));
  EXPECT_EQ(sign_flip_p(at::zeros({8, 1}), 1)[0], 1);
}

TEST(SignFlips, AreUniformWhereNothingDiffers) {
  const std::vector<double> p = sign_flip_p(Random(2).normal_tensor({24, 1000}), 3, 1999);
  const auto below = [&](double level) {
    return std::count_if(p.begin(), p.end(), [&](double one) { return one <= level; });
  };
  EXPECT_NEAR(static_cast<double>(below(0.05)), 50, 25);
  EXPECT_NEAR(static_cast<double>(below(0.5)), 500, 60);
}

TEST(BenjaminiHochberg, IsThePapersExample) {
  // table 1 of Benjamini and Hochberg 1995: at .05 the four smallest of fifteen are rejected
  const std::vector<double> p = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                                 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
  const std::vector<double> q = benjamini_hochberg(p);
  EXPECT_EQ(std::count_if(q.begin(), q.end(), [](double one) { return one <= 0.05; }), 4);
  EXPECT_NEAR(q[0], 0.0015, 1e-9);
  EXPECT_NEAR(q[3], 0.035625, 1e-9);
  EXPECT_NEAR(q[4], 0.0603, 1e-4);
  EXPECT_EQ(q[14], 1);
  EXPECT_THROW(benjamini_hochberg({0.1, NAN}), std::invalid_argument);
}

TEST(LatentTests, FindWhatIsPlanted) {
  const LatentTests tests = test_latents(planted(2), 0);
  EXPECT_EQ(tests.tested.size(), static_cast<size_t>(kLatents));
  int64_t right = 0;
  for (size_t i = 0; i < tests.q.size(); ++i)
    if (tests.q[i] <= 0.05) right += tests.tested[i] < kPlanted;
  EXPECT_EQ(right, kPlanted);
  EXPECT_LE(tests.found(), kPlanted + 2);
  for (size_t i = 0; i < static_cast<size_t>(kPlanted); ++i) EXPECT_GT(tests.difference[i], 1);
}

TEST(LatentTests, FindNothingUnderShuffledLabels) {
  int64_t found = 0, interval_holds_half = 0;
  constexpr uint64_t kSeeds = 10;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const LatentValues values = shuffled(planted(2, seed), seed);
    found += test_latents(values, seed).found() > 0;
    std::vector<ClusteredScore> others, hijacks;
    for (int64_t c = 0; c < kClusters; ++c) {
      const std::string cluster = std::to_string(c);
      others.push_back({values.clean[c][0].item<double>(), cluster});
      others.push_back({values.noise[c][0].item<double>(), cluster});
      hijacks.push_back({values.hijack[c][0].item<double>(), cluster});
    }
    const Separation apart = separation(others, hijacks, seed);
    interval_holds_half += apart.interval.low <= 0.5 && apart.interval.high >= 0.5;
  }
  EXPECT_LE(found, 2);  // at a rate of 5 % some family may
  EXPECT_GE(interval_holds_half, 8);
  EXPECT_EQ(test_latents(planted(0), 0).found(), 0);
}

TEST(LatentTests, NoiseThatDoesTheSameIsNoFinding) {
  LatentValues values = planted(2);
  values.noise.narrow(1, 0, kPlanted).add_(2);
  EXPECT_EQ(test_latents(values, 0).found(), 0);
  LatentValues two = planted(2);
  two.noise = Tensor();
  EXPECT_GE(test_latents(two, 0).found(), kPlanted);
  EXPECT_EQ(test_latents(shuffled(two, 1), 0).found(), 0);
}

TEST(HeatMaps, LieOverThePhotoRowByRow) {
  EXPECT_EQ(token_grid(64, 64, 64), (std::pair<int64_t, int64_t>{8, 8}));
  EXPECT_EQ(token_grid(24, 400, 600), (std::pair<int64_t, int64_t>{4, 6}));
  EXPECT_FALSE(token_grid(65, 64, 64).has_value());
  const Tensor photo = at::full({1, 3, 8, 8}, 0.5), values = at::zeros({2, 2});
  const Tensor gray = heat_on_photo(photo, values, 1);
  EXPECT_TRUE(at::allclose(gray, at::full({1, 3, 8, 8}, 0.5)));
  values[0][1] = 1;
  const Tensor hot = heat_on_photo(photo, values, 1);
  EXPECT_GT(hot[0][0][1][6].item<double>(), 0.9);
  EXPECT_TRUE(at::allclose(hot.narrow(2, 4, 4), gray.narrow(2, 4, 4)));
  EXPECT_EQ(side_by_side(gray, hot).size(3), 24);
}

}  // namespace
}  // namespace hijack::latent_tests_test
