// Against Pillow: not one byte may differ.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/preprocess/resampler.h"
#include "src/base/image.h"
#include "tests/support/golden_picture.h"

namespace hijack {
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

}  // namespace
}  // namespace hijack
