#pragma once
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;  // of libcrypto

namespace hijack {

/// SHA-256 (FIPS 180-4), fed piece by piece; with the processor's own instructions where it has them.
class Sha256 {
 public:
  Sha256();
  void update(std::string_view bytes);
  /// 64 lower-case hexadecimal digits. Call once, last.
  std::string finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

/// SHA-256 of bytes in memory.
std::string sha256(std::string_view bytes);

/// RFC 4648, with padding, on one line.
std::string base64(std::string_view bytes);

}  // namespace hijack
