#include "src/base/image_bytes.h"

namespace hijack {
namespace {

constexpr uint64_t kFileHeader = 14;

/// BITMAPCOREHEADER, BITMAPINFOHEADER, its extensions by masks, BITMAPV4HEADER, BITMAPV5HEADER.
bool known_header(uint64_t size) {
  return size == 12 || size == 40 || size == 52 || size == 56 || size == 108 || size == 124;
}

int64_t as_signed(uint64_t value) {
  return static_cast<int32_t>(static_cast<uint32_t>(value));
}

/// Color masks are allowed where they say what is usual: blue, green, red, and a byte that is dropped.
void check_masks(const Bytes& bytes) {
  constexpr uint64_t kMasks = kFileHeader + 40;
  if (bytes.little(kMasks, 4) != 0xff0000 || bytes.little(kMasks + 4, 4) != 0xff00 ||
      bytes.little(kMasks + 8, 4) != 0xff)
    bytes.fail("is a BMP with unusual color masks; save it as PNG");
}

}  // namespace

ImageHeader read_bmp(const Bytes& bytes) {
  ImageHeader header{ImageFormat::kBmp};
  const uint64_t pixels = bytes.little(10, 4), size = bytes.little(kFileHeader, 4);
  if (!known_header(size)) bytes.fail("is not a valid BMP: its header has a wrong length");
  const bool core = size == 12;
  const uint64_t width_bytes = core ? 2 : 4;
  const uint64_t height = bytes.little(18 + width_bytes, static_cast<int>(width_bytes));
  header.width = core ? static_cast<int64_t>(bytes.little(18, 2)) : as_signed(bytes.little(18, 4));
  header.height = core ? static_cast<int64_t>(height) : std::abs(as_signed(height));  // < 0: from the top
  const uint64_t depth = bytes.little(core ? 24 : 28, 2);
  if (depth != 1 && depth != 4 && depth != 8 && depth != 24 && depth != 32)
    bytes.fail("is a BMP of " + std::to_string(depth) + " bits per pixel; save it as PNG");
  const uint64_t compression = core ? 0 : bytes.little(30, 4);
  if (compression == 3 && depth == 32)
    check_masks(bytes);
  else if (compression != 0)
    bytes.fail("is a compressed BMP; save it as PNG");
  const uint64_t colors = core || depth > 8 ? 0 : bytes.little(46, 4);
  const uint64_t palette = depth > 8 ? 0 : (colors == 0 ? uint64_t{1} << depth : colors) * (core ? 3 : 4);
  if (colors > 256 || pixels < kFileHeader + size + palette)
    bytes.fail("is damaged: the pixels of the BMP begin inside its palette");
  if (header.width <= 0 || header.height <= 0) return header;  // the caller's complaint
  const uint64_t row = (static_cast<uint64_t>(header.width) * depth + 31) / 32 * 4;
  bytes.part(pixels, row * static_cast<uint64_t>(header.height));  // both below 2^31: no overflow
  return header;
}

}  // namespace hijack
