// Against Pillow: not one byte may differ.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/preprocess/resampler.h"
#include "src/base/image.h"
#include "src/base/json.h"
#include "tests/support/golden_picture.h"

namespace hijack::resampler_golden_test {
namespace {

TEST(ResamplerGolden, TheFormulaMakesTheSamePicture) {
  EXPECT_EQ(sha256_of_bytes(golden_picture(211, 37)),
            preprocess_golden()["picture_sha256"].get<std::string>());
}

TEST(ResamplerGolden, EveryFilterAndSizeEqualsPillow) {
  const std::map<std::string, Filter> filters = {{"box", Filter::kBox},
                                                 {"bilinear", Filter::kBilinear},
                                                 {"bicubic", Filter::kBicubic},
                                                 {"lanczos", Filter::kLanczos}};
  int count = 0;
  for (const auto& golden : preprocess_golden()["resizes"]) {
    const Tensor source = golden_picture(golden["from"][0], golden["from"][1]);
    const int64_t height = golden["to"][0], width = golden["to"][1];
    const Filter filter = filters.at(golden["filter"]);
    const Tensor result = resize_bytes(source, height, width, filter);
    EXPECT_EQ(sha256_of_bytes(result), golden["sha256"].get<std::string>())
        << golden["filter"] << golden["from"] << golden["to"];
    if (golden.contains("bytes")) {
      const auto expected = golden["bytes"].get<std::vector<int64_t>>();
      EXPECT_TRUE(at::equal(result.flatten().to(at::kLong), at::tensor(expected)))
          << result << golden["bytes"];
    }
    EXPECT_TRUE(at::equal(to_bytes(resize_image(from_bytes(source), height, width, filter)), result));
    ++count;
  }
  EXPECT_GE(count, 90);
}

/// A number in [1, limit] as tests/golden/preprocess/make.py draws it.
int64_t drawn(uint64_t& state, uint64_t limit) {
  state = state * 6364136223846793005U + 1442695040888963407U;
  return static_cast<int64_t>((state >> 33) % limit + 1);
}

TEST(ResamplerGolden, FourHundredOddSizesEqualPillow) {
  const auto golden =
      read_json(std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/preprocess/sweep.json");
  const std::map<std::string, Filter> filters = {{"box", Filter::kBox},
                                                 {"bilinear", Filter::kBilinear},
                                                 {"bicubic", Filter::kBicubic},
                                                 {"lanczos", Filter::kLanczos}};
  for (const auto& [name, filter] : filters) {
    uint64_t state = 12345;
    std::string bytes;
    for (int64_t index = 0; index < 400; ++index) {
      std::array<int64_t, 4> sides{};
      for (int64_t& side : sides) side = drawn(state, index % 8 == 0 ? 130 : 40);
      if (index % 4 == 1) sides[0] = 1;
      if (index % 4 == 2) sides[1] = 1;
      const Tensor result =
          resize_bytes(golden_picture(sides[0], sides[1]), sides[2], sides[3], filter).contiguous();
      bytes.append(static_cast<const char*>(result.const_data_ptr()), static_cast<size_t>(result.numel()));
      if (index % 40 != 39) continue;
      const Tensor all = at::from_blob(bytes.data(), {static_cast<int64_t>(bytes.size())}, at::kByte);
      EXPECT_EQ(sha256_of_bytes(all), golden.at(name).at(static_cast<size_t>(index / 40)).get<std::string>())
          << name << ", the first " << index + 1;
    }
  }
}

}  // namespace
}  // namespace hijack::resampler_golden_test
