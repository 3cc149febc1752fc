#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace hijack {

/// SHA-256 (FIPS 180-4), fed piece by piece.
class Sha256 {
 public:
  void update(std::string_view bytes);
  /// 64 lower-case hexadecimal digits. Call once, last.
  std::string finish();

 private:
  void compress(const unsigned char* block);

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> buffer_{};
  uint64_t length_ = 0;  // bytes so far
};

/// SHA-256 of bytes in memory.
std::string sha256(std::string_view bytes);

}  // namespace hijack
