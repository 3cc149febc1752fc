#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "src/base/error.h"

namespace hijack {

/// The bytes of a pickle, read from the front; its end before it stops is an Error that names the file.
class PickleBytes {
 public:
  PickleBytes(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  [[noreturn]] void damaged() const { throw Error(where_ + ": its pickle is damaged, or was cut off"); }

  std::string_view take(uint64_t count) {
    if (count > bytes_.size()) damaged();
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  char byte() { return take(1).front(); }
  /// Of up to 8 bytes, the lowest first.
  uint64_t number(size_t size) {
    uint64_t value = 0;
    const std::string_view digits = take(size);
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(digits[i]);
    return value;
  }
  /// A length, and as many bytes of a number with a sign.
  int64_t long_number() {
    const uint64_t size = number(1);
    if (size > 8) damaged();
    uint64_t value = number(size);
    if (size > 0 && size < 8 && (value >> (8 * size - 1)) != 0) value |= ~uint64_t{0} << (8 * size);
    return static_cast<int64_t>(value);
  }
  /// Up to the next line end, which is left out.
  std::string line() {
    const size_t end = bytes_.substr(0, kLongestLine).find('\n');
    if (end == std::string_view::npos) damaged();
    std::string text(take(end));
    take(1);
    return text;
  }

 private:
  static constexpr size_t kLongestLine = 1000;
  std::string_view bytes_;
  const std::string& where_;
};

}  // namespace hijack
