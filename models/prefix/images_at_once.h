#pragma once
#include <cstdint>
#include <string>

namespace hijack {

/// How many images one pass of a model takes (VisionLanguageModel::logits_of_images, replies_of_images). Sums
/// over other shapes round otherwise: results are equal within 2e-5, not in their bytes.
enum : int64_t { kImagesByMemory = 0 };

inline constexpr const char* kImageBatchHelp =
    "images that one pass of the model takes where several are asked about (copies of a vote, draws of a "
    "step, photos of a universal attack; as a number also trials of several photos or seeds, side by side): "
    "1 to 1024, or auto = as many as a quarter of the memory takes, at most 32; 1 = one after the other. "
    "Results agree but for rounding";

/// "auto" (kImagesByMemory) or a number from 1 to 1024. Throws Error otherwise.
int64_t image_batch_from_name(const std::string& name);

/// For the whole process, like the number of threads; kImagesByMemory at the start, 1: one after the other.
void set_image_batch(int64_t images);

/// As set; by memory as many as a quarter of the machine's takes, at most 32. It is the whole memory that
/// counts, not what is free just now: the same machine gives the same bytes.
int64_t images_at_once(int64_t bytes_per_image);

}  // namespace hijack
