#include "tests/support/golden_picture.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "src/base/json.h"
#include "src/base/sha256.h"

namespace hijack {

Tensor golden_picture(int64_t height, int64_t width) {
  Tensor picture = at::empty({1, 3, height, width}, at::kByte);
  auto* out = picture.mutable_data_ptr<uint8_t>();
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x) {
        int64_t noise = (x * 7919 + y * 104729 + c * 1299709) % 65521;
        noise = noise * noise % 65521;
        const int64_t wave = (x * (3 + c) + y * 5 + noise % 97) % 256;
        *out++ = static_cast<uint8_t>((x / 6 + y / 4) % 3 == 0 ? noise % 2 * 255 : wave);
      }
  return picture;
}

std::string sha256_of_bytes(const Tensor& bytes) {
  const Tensor whole = bytes.cpu().contiguous();
  return sha256({static_cast<const char*>(whole.const_data_ptr()), whole.nbytes()});
}

const nlohmann::json& preprocess_golden() {
  static const nlohmann::json kGolden = read_json(HIJACK_SOURCE_DIR "/tests/golden/preprocess/golden.json");
  return kGolden;
}

}  // namespace hijack
