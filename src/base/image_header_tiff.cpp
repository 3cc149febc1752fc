#include <optional>
#include <vector>

#include "src/base/image_bytes.h"

namespace hijack {
namespace {

constexpr uint64_t kMaxParts = 1 << 20;  // strips or tiles

enum Tag : uint64_t {
  kWidth = 256,
  kHeight = 257,
  kBits = 258,
  kCompression = 259,
  kPhotometric = 262,
  kFillOrder = 266,
  kStripOffsets = 273,
  kOrientation = 274,
  kSamples = 277,
  kStripBytes = 279,
  kPlanar = 284,
  kTileOffsets = 324,
  kTileBytes = 325,
  kExtraSamples = 338,
  kSampleFormat = 339
};

/// The first directory of a TIFF file.
class Directory {
 public:
  explicit Directory(const Bytes& bytes) : bytes_(bytes), big_(bytes.part(0, 2) == "MM") {
    begin_ = number(4, 4);
    count_ = number(begin_, 2);
    bytes.part(begin_, 2 + 12 * count_ + 4);
  }

  /// Whole numbers of a tag; none where the file has no such tag.
  std::vector<uint64_t> values(Tag tag) const {
    for (uint64_t i = 0; i < count_; ++i) {
      const uint64_t entry = begin_ + 2 + 12 * i;
      if (number(entry, 2) != tag) continue;
      const uint64_t type = number(entry + 2, 2), count = number(entry + 4, 4);
      const int size = type == 1 ? 1 : type == 3 ? 2 : type == 4 ? 4 : 0;
      if (size == 0 || count == 0 || count > kMaxParts)
        bytes_.fail("is damaged: the TIFF has an impossible value of tag " + std::to_string(tag));
      const uint64_t length = count * static_cast<uint64_t>(size);
      const uint64_t at = length <= 4 ? entry + 8 : number(entry + 8, 4);
      bytes_.part(at, length);
      std::vector<uint64_t> found;
      for (uint64_t k = 0; k < count; ++k)
        found.push_back(number(at + k * static_cast<uint64_t>(size), size));
      return found;
    }
    return {};
  }
  uint64_t value(Tag tag, uint64_t otherwise) const {
    const auto all = values(tag);
    return all.empty() ? otherwise : all[0];
  }
  bool is_last() const { return number(begin_ + 2 + 12 * count_, 4) == 0; }

 private:
  uint64_t number(uint64_t at, int count) const {
    return big_ ? bytes_.big(at, count) : bytes_.little(at, count);
  }

  const Bytes& bytes_;
  bool big_;
  uint64_t begin_ = 0, count_ = 0;
};

/// Gray, RGB and palette images of 8 bits are read; everything else has a sentence of its own.
void check_kind(const Bytes& bytes, const Directory& directory) {
  const uint64_t samples = directory.value(kSamples, 1), kind = directory.value(kPhotometric, 1);
  for (const uint64_t bits :
       directory.values(kBits).empty() ? std::vector<uint64_t>{1} : directory.values(kBits))
    if (bits != 8)
      bytes.fail("is a TIFF with " + std::to_string(bits) + "-bit channels; convert it to 8 bits");
  if (kind == 5) bytes.fail("is a CMYK TIFF; convert it to RGB");
  if (!directory.values(kExtraSamples).empty() || samples == 2 || samples == 4)
    bytes.fail("is a TIFF with transparency; save it as PNG, or without");
  if (kind > 3 || samples != (kind == 2 ? 3 : 1))
    bytes.fail("is a TIFF with other channels than gray, RGB or a palette; save it as PNG");
  for (const uint64_t format : directory.values(kSampleFormat))
    if (format != 1) bytes.fail("is a TIFF of other than unsigned numbers; convert it to 8 bits");
  if (directory.value(kPlanar, 1) != 1 || directory.value(kFillOrder, 1) != 1)
    bytes.fail("is a TIFF with an unusual order of its pixels; save it as PNG");
  const uint64_t compression = directory.value(kCompression, 1);
  if (compression != 1 && compression != 5 && compression != 8 && compression != 32946 &&
      compression != 32773)
    bytes.fail("is a TIFF with compression " + std::to_string(compression) +
               ", which is not supported (LZW, "
               "Deflate and PackBits are); save it as PNG");
}

void check_parts(const Bytes& bytes, const Directory& directory) {
  const bool tiled = !directory.values(kTileOffsets).empty();
  const auto offsets = directory.values(tiled ? kTileOffsets : kStripOffsets);
  const auto lengths = directory.values(tiled ? kTileBytes : kStripBytes);
  if (offsets.empty() || offsets.size() != lengths.size())
    bytes.fail("is damaged: the TIFF does not say where its pixels are");
  for (size_t i = 0; i < offsets.size(); ++i) bytes.part(offsets[i], lengths[i]);
}

}  // namespace

ImageHeader read_tiff(const Bytes& bytes) {
  ImageHeader header{ImageFormat::kTiff};
  const Directory directory(bytes);
  if (!directory.is_last()) bytes.fail("is a TIFF with several pages; save one of them");
  header.width = static_cast<int64_t>(directory.value(kWidth, 0));
  header.height = static_cast<int64_t>(directory.value(kHeight, 0));
  check_kind(bytes, directory);
  check_parts(bytes, directory);
  const uint64_t orientation = directory.value(kOrientation, 1);
  if (orientation > 1 && orientation <= 8)  // decoders do not agree on who turns it
    bytes.fail("is a TIFF that is stored turned (orientation " + std::to_string(orientation) +
               "); turn it upright and save it again");
  return header;
}

}  // namespace hijack
