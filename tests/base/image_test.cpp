#include "src/base/image.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image_header.h"
#include "src/base/random.h"
#include "tests/support/expect_says.h"
#include "tests/support/golden_picture.h"

namespace hijack::image_test {
namespace {

namespace fs = std::filesystem;

class ImageTest : public testing::Test {
 protected:
  ~ImageTest() override { fs::remove(file_); }
  std::string why_not(const std::string& bytes, const ImageLimits& limits = {}) const {
    fs::remove(file_);  // replacing a file flushes it to disk, which is slow
    write_file(file_, bytes);
    try {
      load_image(file_, limits);
    } catch (const Error& error) {
      return error.what();
    }
    return "loaded";
  }
  const fs::path file_ = fs::path(testing::TempDir()) / ("hijack_image_" + std::to_string(::getpid()));
};

TEST_F(ImageTest, LatticeRoundTrips) {
  const Tensor levels = at::arange(256, at::kByte).reshape({1, 1, 16, 16}).expand({1, 3, 16, 16});
  const Tensor image = from_bytes(levels);
  EXPECT_TRUE(at::equal(to_bytes(image), levels));
  EXPECT_TRUE(on_lattice(image));
  EXPECT_TRUE(at::equal(quantize(image), image));
  EXPECT_TRUE(at::equal(quantize(image + 0.4 / 255), image));
  EXPECT_EQ(image.max().item<float>(), 1.0f);
  for (int level = 0; level < 256; ++level)
    EXPECT_EQ(image.flatten()[level].item<float>(), static_cast<float>(level) / 255.0f);
  EXPECT_FALSE(on_lattice(image + 0.01 / 255));
  EXPECT_FALSE(on_lattice(image + 1.0 / 255));  // beyond 1
  EXPECT_FALSE(on_lattice(image - 1.0 / 255));
  EXPECT_TRUE(at::equal(to_bytes(at::tensor({-1.0f, 2.0f})), at::tensor({0, 255}, at::kByte)));
}

TEST_F(ImageTest, PngKeepsEveryBit) {
  const Tensor image = from_bytes(golden_picture(31, 17));
  save_png(image, file_);
  EXPECT_TRUE(at::equal(load_image(file_), image));
  EXPECT_EQ(encode_png(image), read_file(file_));
  EXPECT_THROW(save_png(image * 0.999, file_), std::exception);
  EXPECT_TRUE(at::equal(load_image(file_), image));  // the failure left the old file
}

TEST_F(ImageTest, LimitsComeBeforeDecoding) {
  const std::string png = encode_png(from_bytes(golden_picture(30, 40)));
  EXPECT_EQ(why_not(png, {.max_side = 40}), "loaded");
  EXPECT_SAYS(why_not(png, {.max_side = 39}), "40x30");
  EXPECT_SAYS(why_not(png, {.max_pixels = 1199}), "limit");
  EXPECT_SAYS(why_not(png, {.max_bytes = 100}), "longer than");
  EXPECT_THROW(load_image("/nonexistent.png"), Error);
}

TEST_F(ImageTest, WhatIsNoImage) {
  for (const std::string& bytes :
       {std::string(), std::string("hello"), std::string("\x89PNG"), std::string("RIFF")})
    EXPECT_SAYS(why_not(bytes), "is not a PNG, JPEG, WebP, BMP or TIFF image");
  EXPECT_SAYS(why_not("\x89PNG\r\n\x1a\n"), "cut off");
  EXPECT_SAYS(why_not("\xff\xd8\xff"), "cut off");
  EXPECT_SAYS(why_not(std::string("RIFF\x10\0\0\0WEBP", 12)), "cut off");
}

TEST_F(ImageTest, EveryTruncationOfAPngIsRefused) {
  const std::string png = encode_png(from_bytes(golden_picture(9, 7)));
  for (size_t length = 0; length < png.size(); ++length)
    EXPECT_NE(why_not(png.substr(0, length)), "loaded") << length;
  EXPECT_EQ(why_not(png + "trailing"), "loaded");
}

TEST_F(ImageTest, ChangedPngBytesAreNoticed) {
  const std::string png = encode_png(from_bytes(golden_picture(9, 7)));
  for (size_t i = 0; i < png.size(); ++i) {
    std::string bytes = png;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x5a);
    EXPECT_NE(why_not(bytes), "loaded") << i;
  }
}

TEST_F(ImageTest, ExifOrientation) {
  const auto tiff = [](bool big, int tag, int value) {
    const auto number = [&](int v, int count) {
      std::string digits;
      for (int i = 0; i < count; ++i) digits += static_cast<char>(v >> (8 * (big ? count - 1 - i : i)));
      return digits;
    };
    return std::string(big ? "MM" : "II") + number(42, 2) + number(8, 4) + number(1, 2) + number(tag, 2) +
           number(3, 2) + number(1, 4) + number(value, 2) + number(0, 2);
  };
  for (const bool big : {false, true}) {
    EXPECT_EQ(exif_orientation(tiff(big, 0x0112, 6)), 6);
    EXPECT_EQ(exif_orientation(std::string("Exif\0\0", 6) + tiff(big, 0x0112, 8)), 8);
    EXPECT_EQ(exif_orientation(tiff(big, 0x0112, 0)), 1);
    EXPECT_EQ(exif_orientation(tiff(big, 0x0112, 9)), 1);
    EXPECT_EQ(exif_orientation(tiff(big, 0x0110, 6)), 1);
    const std::string whole = tiff(big, 0x0112, 6);
    for (size_t length = 0; length < whole.size(); ++length) {
      const int orientation = exif_orientation(whole.substr(0, length));
      EXPECT_EQ(orientation, length < 20 ? 1 : 6) << length;
    }
  }
  EXPECT_EQ(exif_orientation(std::string("II*\0\xff\xff\xff\xff", 8)), 1);
  EXPECT_EQ(exif_orientation(""), 1);
}

TEST_F(ImageTest, JpegHeadersThatAreRefused) {
  const auto jpeg = [](char marker, char precision, char components, int height) {
    std::string frame = std::string("\xff", 1) + marker + std::string("\0\x0b", 2) + precision + '\0' +
                        static_cast<char>(height) + std::string("\0\x08", 2) + components +
                        std::string(3, '\1');
    return "\xff\xd8" + frame + std::string("\xff\xda\0\2", 4) + "data" + "\xff\xd9";
  };
  EXPECT_SAYS(why_not(jpeg('\xc0', 12, 3, 8)), "more than 8 bits");
  EXPECT_SAYS(why_not(jpeg('\xc0', 8, 4, 8)), "CMYK");
  EXPECT_SAYS(why_not(jpeg('\xc0', 8, 2, 8)), "neither one nor three");
  EXPECT_SAYS(why_not(jpeg('\xc3', 8, 3, 8)), "lossless");
  EXPECT_SAYS(why_not(jpeg('\xc0', 8, 3, 0)), "no pixels");
  EXPECT_SAYS(why_not(std::string("\xff\xd8\xff\xd9")), "no image in it");
  const std::string table =
      std::string("\xff\xc4\x01\x22\0", 5) + std::string(16, '\x11') + std::string(272, 'x');
  EXPECT_SAYS(why_not("\xff\xd8" + table + jpeg('\xc0', 8, 3, 8).substr(2)), "Huffman table");
}

}  // namespace
}  // namespace hijack::image_test
