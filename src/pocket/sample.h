#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "src/pocket/exercise.h"
#include "src/pocket/grammar.h"
#include "src/pocket/scene.h"

namespace hijack {

/// One training sequence: an image (or none) and 5-6 independent exercises that share it.
struct PocketSample {
  Tensor image;  ///< uint8 [3,112,112]; undefined without an image
  bool has_image = false;
  bool is_scene = false;  ///< false for textures; patch labels are then all 0
  std::array<int64_t, kScenePatches> patch_labels{};
  std::vector<Exercise> exercises;
};

/// Depends on nothing but its arguments; safe to call from many threads. A fifth has no image, 15 % a
/// texture.
PocketSample draw_sample(uint64_t seed, uint64_t index, Wording wording);

}  // namespace hijack
