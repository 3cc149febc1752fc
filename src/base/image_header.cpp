#include "src/base/image_header.h"

#include <zlib.h>

#include <array>

#include "src/base/error.h"
#include "src/base/image_bytes.h"

namespace hijack {
namespace {

uint32_t checksum_of(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

/// The color that a PNG's tRNS makes transparent. kind: IHDR's color type, depth: bits per sample.
std::optional<std::array<uint8_t, 3>> clear_color(std::string_view key, uint64_t kind, uint64_t depth,
                                                  std::string_view palette) {
  const auto byte = [](std::string_view from, size_t at) { return static_cast<uint8_t>(from[at]); };
  // of 2 and 4 bits, PIL compares the key with samples that it has scaled to 8 already
  if (kind == 0 && depth > 1 && key.size() == 2 && key[0] == 0)
    return std::array{byte(key, 1), byte(key, 1), byte(key, 1)};
  if (kind == 2 && key.size() == 6 && key[0] == 0 && key[2] == 0 && key[4] == 0)
    return std::array{byte(key, 1), byte(key, 3), byte(key, 5)};
  const size_t clear = key.find('\0');
  if (kind != 3 || clear == key.npos || 3 * clear + 3 > palette.size()) return {};
  for (size_t i = 0; i < key.size(); ++i)
    if (i != clear && byte(key, i) != 255) return {};
  return std::array{byte(palette, 3 * clear), byte(palette, 3 * clear + 1), byte(palette, 3 * clear + 2)};
}

ImageHeader read_png(const Bytes& bytes) {
  ImageHeader header;
  uint64_t kind = 0, depth = 8;
  std::string_view palette;
  for (uint64_t at = 8;;) {
    const uint64_t length = bytes.big(at, 4);
    const std::string_view type = bytes.part(at + 4, 4), data = bytes.part(at + 8, length);
    const bool critical = (type[0] & 0x20) == 0;
    if (critical && bytes.big(at + 8 + length, 4) != checksum_of(bytes.part(at + 4, 4 + length)))
      bytes.fail("is damaged: a checksum of the PNG does not match");
    if ((at == 8) != (type == "IHDR")) bytes.fail("is not a valid PNG: IHDR must come first, and once");
    if (type == "IHDR") {
      if (length != 13) bytes.fail("is not a valid PNG: its IHDR has a wrong length");
      header.width = static_cast<int64_t>(bytes.big(at + 8, 4));
      header.height = static_cast<int64_t>(bytes.big(at + 12, 4));
      depth = bytes.big(at + 16, 1);
      kind = bytes.big(at + 17, 1);
      if (depth == 16)
        bytes.fail(
            "is a PNG with 16 bits per channel; convert it to 8 bits (attacks live on the 8-bit lattice)");
    }
    if (type == "acTL") bytes.fail("is an animated PNG; save one picture of it");
    if (type == "PLTE") palette = data;
    if (type == "tRNS") header.clear_color = clear_color(data, kind, depth, palette);
    if (type == "eXIf") header.orientation = exif_orientation(data);
    if (type == "IEND") return header;
    at += 12 + length;
  }
}

/// Offset of the marker that ends the entropy-coded data beginning at `at`.
uint64_t skip_scan(const Bytes& bytes, uint64_t at) {
  for (;; ++at) {
    if (bytes.big(at, 1) != 0xff) continue;
    const uint64_t next = bytes.big(at + 1, 1);
    if (next != 0x00 && next != 0xff && (next < 0xd0 || next > 0xd7)) return at;
  }
}

void read_jpeg_frame(const Bytes& bytes, uint64_t marker, uint64_t at, ImageHeader& header) {
  if (header.width != 0) bytes.fail("is not a valid JPEG: it has two frame headers");
  if (marker > 0xc2)
    bytes.fail("is a lossless or arithmetic-coded JPEG, which is not supported; save it as PNG");
  const uint64_t components = bytes.big(at + 7, 1);
  if (bytes.big(at + 2, 1) != 8)
    bytes.fail("is a JPEG with more than 8 bits per channel; convert it to 8 bits");
  if (components == 4) bytes.fail("is a CMYK JPEG; convert it to RGB");
  if (components != 1 && components != 3) bytes.fail("is a JPEG with neither one nor three channels");
  header.height = static_cast<int64_t>(bytes.big(at + 3, 2));
  header.width = static_cast<int64_t>(bytes.big(at + 5, 2));
}

/// stb_image 2.27 writes behind its tables when a Huffman table has more than 256 codes.
void check_huffman_tables(const Bytes& bytes, uint64_t at, uint64_t end) {
  while (at < end) {
    uint64_t codes = 0;
    for (uint64_t i = 1; i <= 16; ++i) codes += bytes.big(at + i, 1);
    at += 17 + codes;
    if (codes > 256 || at > end) bytes.fail("is damaged: it has an impossible JPEG Huffman table");
  }
}

ImageHeader read_jpeg(const Bytes& bytes) {
  ImageHeader header{ImageFormat::kJpeg};
  bool scanned = false;
  for (uint64_t at = 2;;) {
    if (bytes.big(at, 1) != 0xff) bytes.fail("is damaged: a JPEG marker is missing");
    const uint64_t marker = bytes.big(at + 1, 1);
    if (marker == 0xff) {  // fill byte
      ++at;
      continue;
    }
    if (marker == 0xd9) break;
    const uint64_t length = bytes.big(at + 2, 2);
    const std::string_view segment = bytes.part(at + 2, length);
    if (length < 2 || marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd8))
      bytes.fail("is damaged: it has an impossible JPEG marker");
    const bool frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (marker == 0xc4) check_huffman_tables(bytes, at + 4, at + 2 + length);
    if (frame) read_jpeg_frame(bytes, marker, at + 2, header);
    if (marker == 0xe1 && segment.substr(2).starts_with(std::string_view("Exif\0\0", 6)) &&
        header.orientation == 1)
      header.orientation = exif_orientation(segment.substr(2));
    at += 2 + length;
    if (marker == 0xda) {
      scanned = true;
      at = skip_scan(bytes, at);
    }
  }
  if (header.width == 0 || !scanned) bytes.fail("is damaged: the JPEG has no image in it");
  return header;
}

void read_webp_size(const Bytes& bytes, std::string_view type, uint64_t at, ImageHeader& header) {
  if (type == "VP8X") {
    if ((bytes.big(at, 1) & 2) != 0) bytes.fail("is an animated WebP; save one picture of it");
    header.width = static_cast<int64_t>(bytes.little(at + 4, 3) + 1);
    header.height = static_cast<int64_t>(bytes.little(at + 7, 3) + 1);
  } else if (type == "VP8L") {
    const uint64_t bits = bytes.little(at + 1, 4);
    header.width = static_cast<int64_t>((bits & 0x3fff) + 1);
    header.height = static_cast<int64_t>((bits >> 14 & 0x3fff) + 1);
  } else {
    header.width = static_cast<int64_t>(bytes.little(at + 6, 2) & 0x3fff);
    header.height = static_cast<int64_t>(bytes.little(at + 8, 2) & 0x3fff);
  }
}

ImageHeader read_webp(const Bytes& bytes) {
  ImageHeader header{ImageFormat::kWebp};
  bytes.part(0, 8 + bytes.little(4, 4));
  const uint64_t end = 8 + bytes.little(4, 4);
  bool has_picture = false;
  for (uint64_t at = 12; at + 8 <= end;) {
    const std::string_view type = bytes.part(at, 4);
    const uint64_t length = bytes.little(at + 4, 4);
    const std::string_view data = bytes.part(at + 8, length);
    const bool picture = type == "VP8 " || type == "VP8L";
    if (header.width == 0 && (picture || type == "VP8X")) read_webp_size(bytes, type, at + 8, header);
    if (type == "EXIF") header.orientation = exif_orientation(data);
    has_picture = has_picture || picture;
    at += 8 + length + length % 2;
  }
  if (!has_picture) bytes.fail("is damaged: the WebP has no image in it");
  return header;
}

}  // namespace

int exif_orientation(std::string_view tiff) {
  if (tiff.starts_with(std::string_view("Exif\0\0", 6))) tiff.remove_prefix(6);
  const bool big = tiff.starts_with(std::string_view("MM\0*", 4));
  if (!big && !tiff.starts_with(std::string_view("II*\0", 4))) return 1;
  const std::string nowhere;
  const Bytes bytes(tiff, nowhere);
  const auto number = [&](uint64_t at, int count) {
    return big ? bytes.big(at, count) : bytes.little(at, count);
  };
  try {
    const uint64_t directory = number(4, 4);
    const uint64_t count = number(directory, 2);
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t entry = directory + 2 + 12 * i;
      if (number(entry, 2) != 0x0112 || number(entry + 2, 2) != 3) continue;
      const uint64_t value = number(entry + 8, 2);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  } catch (const Error&) {  // a damaged EXIF block does not make the picture unreadable
  }
  return 1;
}

ImageHeader read_image_header(std::string_view data, const std::string& where) {
  const Bytes bytes(data, where);
  ImageHeader header;
  if (data.starts_with("\x89PNG\r\n\x1a\n"))
    header = read_png(bytes);
  else if (data.starts_with("\xff\xd8\xff"))
    header = read_jpeg(bytes);
  else if (data.starts_with("RIFF") && data.substr(0, 12).ends_with("WEBP"))
    header = read_webp(bytes);
  else if (data.starts_with("BM"))
    header = read_bmp(bytes);
  else if (data.starts_with(std::string_view("II*\0", 4)) || data.starts_with(std::string_view("MM\0*", 4)))
    header = read_tiff(bytes);
  else
    bytes.fail("is not a PNG, JPEG, WebP, BMP or TIFF image");
  if (header.width <= 0 || header.height <= 0) bytes.fail("is damaged: the image has no pixels");
  return header;
}

}  // namespace hijack
