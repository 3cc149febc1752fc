#include "models/prefix/images_at_once.h"

#include <algorithm>
#include <atomic>
#include <charconv>

#include "src/base/error.h"
#include "src/base/process_memory.h"

namespace hijack {
namespace {

constexpr int64_t kMostByMemory = 32, kMost = 1024;

std::atomic<int64_t>& image_batch() {
  static std::atomic<int64_t> images = kImagesByMemory;
  return images;
}

}  // namespace

int64_t image_batch_from_name(const std::string& name) {
  if (name == "auto") return kImagesByMemory;
  int64_t images = 0;
  const char* const last = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data(), last, images);
  if (error != std::errc{} || end != last || images < 1 || images > kMost)
    throw Error("The image batch '" + name.substr(0, 40) + "' is none: write auto, or a number from 1 to " +
                std::to_string(kMost) + ".");
  return images;
}

void set_image_batch(int64_t images) {
  image_batch() = images;
}

int64_t images_at_once(int64_t bytes_per_image) {
  const int64_t set = image_batch();
  if (set != kImagesByMemory) return set;
  const int64_t memory = total_memory();
  if (memory <= 0 || bytes_per_image <= 0) return kMostByMemory;
  return std::clamp<int64_t>(memory / 4 / bytes_per_image, 1, kMostByMemory);
}

}  // namespace hijack
