// Against the PIL-based processors of transformers 5.23.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/preprocess/image_processor.h"
#include "src/base/image.h"
#include "tests/support/golden_picture.h"

namespace hijack::image_processor_golden_test {
namespace {

void compare(const ImageProcessor& processor, const nlohmann::json& golden) {
  const auto shape = golden["shape"].get<std::vector<int64_t>>();
  const Tensor picture = from_bytes(golden_picture(golden["picture"][0], golden["picture"][1]));
  const Tensor image = processor.geometry(picture);
  ASSERT_EQ(image[0].sizes(), at::IntArrayRef(shape));
  EXPECT_EQ(processor.output_height(), shape[1]);
  EXPECT_EQ(processor.output_width(), shape[2]);
  EXPECT_TRUE(on_lattice(image));
  EXPECT_EQ(sha256_of_bytes(to_bytes(image)), golden["levels_sha256"].get<std::string>());
  const Tensor values = processor.normalize(image).flatten();
  for (size_t i = 0; i < golden["at"].size(); ++i)
    EXPECT_NEAR(values[golden["at"][i].get<int64_t>()].item<double>(), golden["values"][i].get<double>(),
                1e-6);
}

TEST(ImageProcessorGolden, EqualsTransformers) {
  int count = 0;
  for (const auto& [name, golden] : preprocess_golden()["processors"].items()) {
    const ImageProcessor processor = ImageProcessor::from_json(golden["config"], name);
    for (const auto& one : golden["cases"]) {
      SCOPED_TRACE(name + " " + one["picture"].dump());
      compare(processor, one);
      ++count;
    }
  }
  EXPECT_GE(count, 77);
}

}  // namespace
}  // namespace hijack::image_processor_golden_test
