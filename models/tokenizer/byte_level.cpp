#include "models/tokenizer/byte_level.h"

#include <array>

#include "src/base/unicode.h"

namespace hijack::byte_level {
namespace {

constexpr bool is_printable(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

struct Alphabet {
  std::array<std::string, 256> characters;
  std::array<int, 0x200> bytes;  // by code point, -1 where there is none

  Alphabet() {
    bytes.fill(-1);
    char32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const char32_t c = is_printable(byte) ? byte : next++;
      unicode::append(characters[byte], c);
      bytes[c] = static_cast<int>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string_view character_of(unsigned char byte) {
  return alphabet().characters[byte];
}

std::optional<std::string> bytes_of(std::string_view token) {
  std::string bytes;
  for (size_t at = 0; at < token.size();) {
    const auto c = unicode::decode(token, at);
    if (c.value >= 0x200 || alphabet().bytes[c.value] < 0) return std::nullopt;
    bytes += static_cast<char>(alphabet().bytes[c.value]);
    at += c.length;
  }
  return bytes;
}

}  // namespace hijack::byte_level
