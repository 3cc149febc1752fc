#include <ATen/ATen.h>

#include "src/base/image_codec.h"

// The only place with the bodies of stb_image and stb_image_write.
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_FAILURE_STRINGS
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stb_image.h>
#include <stb_image_write.h>
#pragma GCC diagnostic pop

namespace hijack {

Tensor decode_with_stb(std::string_view bytes) {
  int width = 0, height = 0, channels = 0;
  unsigned char* const pixels =
      stbi_load_from_memory(reinterpret_cast<const unsigned char*>(bytes.data()),
                            static_cast<int>(bytes.size()), &width, &height, &channels, 3);
  if (pixels == nullptr) return {};
  return at::from_blob(
      pixels, {height, width, 3}, [](void* p) { stbi_image_free(p); }, at::kByte);
}

std::string encode_with_stb(const Tensor& bytes) {
  const Tensor pixels = bytes.contiguous();
  std::string png;
  const auto append = [](void* context, void* data, int size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data), static_cast<size_t>(size));
  };
  const int height = static_cast<int>(pixels.size(0)), width = static_cast<int>(pixels.size(1));
  TORCH_CHECK(stbi_write_png_to_func(append, &png, width, height, 3, pixels.const_data_ptr(), width * 3) != 0,
              "stb_image_write could not encode a PNG");
  return png;
}

}  // namespace hijack
