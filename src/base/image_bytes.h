#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "src/base/error.h"
#include "src/base/image_header.h"

// Inside of image_header*.cpp.

namespace hijack {

/// Bounds-checked reading of numbers from bytes that nobody has checked.
class Bytes {
 public:
  Bytes(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  uint64_t size() const { return bytes_.size(); }
  std::string_view part(uint64_t offset, uint64_t count) const {
    if (offset > bytes_.size() || count > bytes_.size() - offset)
      throw Error(where_ + " is cut off: the image ends before its end marker");
    return bytes_.substr(offset, count);
  }
  uint64_t big(uint64_t offset, int count) const {
    uint64_t value = 0;
    for (const char c : part(offset, static_cast<uint64_t>(count)))
      value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }
  uint64_t little(uint64_t offset, int count) const {
    const std::string_view digits = part(offset, static_cast<uint64_t>(count));
    uint64_t value = 0;
    for (size_t i = digits.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(digits[i]);
    return value;
  }
  [[noreturn]] void fail(const std::string& what) const { throw Error(where_ + " " + what); }

 private:
  std::string_view bytes_;
  const std::string& where_;
};

ImageHeader read_bmp(const Bytes& bytes);
ImageHeader read_tiff(const Bytes& bytes);

}  // namespace hijack
