// Against Pillow and transformers' load_image: every kind of file, byte for byte.
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/base/random.h"
#include "tests/support/golden_picture.h"

namespace hijack::image_golden_test {
namespace {

namespace fs = std::filesystem;

const std::map<std::string, std::string> kRefused = {{"deep.png", "16 bits"},
                                                     {"cmyk.jpg", "CMYK"},
                                                     {"animated.webp", "animated"},
                                                     {"picture.gif", "not a PNG, JPEG, WebP, BMP or TIFF"},
                                                     {"animated.png", "animated PNG"},
                                                     {"sixteen.bmp", "16 bits per pixel"},
                                                     {"pages.tif", "several pages"},
                                                     {"alpha.tif", "transparency"},
                                                     {"bits.tif", "1-bit channels"},
                                                     {"deep.tif", "16-bit channels"},
                                                     {"cmyk.tif", "CMYK"},
                                                     {"photo.tif", "compression 7"},
                                                     {"turned2.tif", "stored turned"},
                                                     {"turned3.palette.tif", "stored turned"},
                                                     {"turned3.tif", "stored turned"},
                                                     {"turned4.tif", "stored turned"},
                                                     {"turned5.plain.tif", "stored turned"},
                                                     {"turned5.tif", "stored turned"},
                                                     {"turned6.gray.tif", "stored turned"},
                                                     {"turned6.tif", "stored turned"},
                                                     {"turned7.tif", "stored turned"},
                                                     {"turned8.tif", "stored turned"}};

bool has_opencv() {
  try {
    jpeg_round_trip(at::zeros({1, 3, 1, 1}), 50);
  } catch (const Error&) {
    return false;
  }
  return true;
}

TEST(ImageGolden, EveryKindOfFile) {
  const fs::path file = fs::path(testing::TempDir()) / ("hijack_golden_" + std::to_string(::getpid()));
  int loaded = 0, refused = 0;
  for (const auto& [name, tensor] :
       load_safetensors(fs::path(HIJACK_SOURCE_DIR) / "tests/golden/preprocess/files.safetensors")) {
    SCOPED_TRACE(name);
    if (!has_opencv() && !name.ends_with(".png") && !kRefused.contains(name)) continue;
    write_file(file, {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()});
    try {
      const Tensor image = load_image(file);
      ASSERT_FALSE(kRefused.contains(name));
      const auto& golden = preprocess_golden()["loaded"][name];
      EXPECT_EQ(image.sizes(), at::IntArrayRef({1, 3, golden["size"][0], golden["size"][1]}));
      EXPECT_TRUE(on_lattice(image));
      EXPECT_EQ(sha256_of_bytes(to_bytes(image)), golden["sha256"].get<std::string>());
      ++loaded;
    } catch (const Error& error) {
      ASSERT_TRUE(kRefused.contains(name)) << error.what();
      EXPECT_NE(std::string(error.what()).find(kRefused.at(name)), std::string::npos) << error.what();
      ++refused;
    }
  }
  fs::remove(file);
  EXPECT_GE(loaded, has_opencv() ? 45 : 10);
  EXPECT_EQ(refused, static_cast<int>(kRefused.size()));
}

// Every byte changed, every tenth truncation: an Error or an image, never a crash, and no words of the
// decoders.
TEST(ImageGolden, DamagedFilesAreSurvived) {
  const fs::path file = fs::path(testing::TempDir()) / ("hijack_damage_" + std::to_string(::getpid()));
  Random random(1);
  int refused = 0, loaded = 0;
  const auto attempt = [&](const std::string& bytes) {
    fs::remove(file);  // replacing a file flushes it to disk: thousands of times would be slow
    std::ofstream(file, std::ios::binary) << bytes;
    try {
      load_image(file, {.max_pixels = 10000});
      ++loaded;
    } catch (const Error&) {
      ++refused;
    }
  };
  for (const auto& [name, tensor] :
       load_safetensors(fs::path(HIJACK_SOURCE_DIR) / "tests/golden/preprocess/files.safetensors")) {
    if (name.starts_with("turned") && !name.starts_with("turned6")) continue;
    testing::internal::CaptureStderr();
    const std::string good(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
    for (size_t i = 0; i<good.size(); i += good.size()> 600 ? 3 : 1) {
      std::string bytes = good;
      bytes[i] = static_cast<char>(random.bits());
      attempt(bytes);
      if (random.chance(0.3)) attempt(good.substr(0, i));
    }
    const std::string words = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(words.empty() || name.ends_with(".jpg") || name.ends_with(".tif")) << words.substr(0, 200);
  }
  EXPECT_GT(refused, 300);
  EXPECT_GT(loaded, 50);
  fs::remove(file);
}

TEST(ImageGolden, JpegRoundTripEqualsPillow) {
  if (!has_opencv()) GTEST_SKIP() << "built without OpenCV";
  for (const auto& golden : preprocess_golden()["jpeg_round_trips"]) {
    const Tensor image = from_bytes(golden_picture(golden["picture"][0], golden["picture"][1]));
    const Tensor result = jpeg_round_trip(image, golden["quality"]);
    EXPECT_EQ(sha256_of_bytes(to_bytes(result)), golden["sha256"].get<std::string>()) << golden;
  }
}

}  // namespace
}  // namespace hijack::image_golden_test
