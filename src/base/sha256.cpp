#include "src/base/sha256.h"

#include <c10/util/Exception.h>
#include <openssl/evp.h>

namespace hijack {

void Sha256::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  TORCH_CHECK(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1,
              "libcrypto has no SHA-256");
}

void Sha256::update(std::string_view bytes) {
  TORCH_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "libcrypto could not hash");
}

std::string Sha256::finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TORCH_CHECK(EVP_DigestFinal_ex(context_.get(), digest, &size) == 1, "libcrypto could not hash");
  std::string text;
  for (unsigned int i = 0; i < size; ++i)
    for (const int shift : {4, 0}) text += "0123456789abcdef"[(digest[i] >> shift) & 15];
  return text;
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string base64(std::string_view bytes) {
  constexpr size_t kPiece = size_t{3} << 20;  // libcrypto counts in int
  std::string out;
  std::string piece;
  for (size_t at = 0; at < bytes.size(); at += kPiece) {
    const std::string_view some = bytes.substr(at, kPiece);
    piece.resize((some.size() + 2) / 3 * 4 + 1);  // and a zero
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(piece.data()),
                        reinterpret_cast<const unsigned char*>(some.data()), static_cast<int>(some.size()));
    out.append(piece, 0, static_cast<size_t>(size));
  }
  return out;
}

}  // namespace hijack
