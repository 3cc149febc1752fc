#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/random.h"
#include "src/base/tensor.h"

// Procedural scenes with their full ground truth. Pixels are uint8 [3,kSceneSide,kSceneSide], RGB.

namespace hijack {

inline constexpr int64_t kSceneSide = 112;
inline constexpr int64_t kScenePatch = 14;
inline constexpr int64_t kScenePatches = 64;  ///< 8x8, row by row

inline constexpr std::array<std::string_view, 6> kShapes = {"circle", "square", "triangle",
                                                            "star",   "cross",  "ring"};
inline constexpr std::array<std::string_view, 8> kColors = {"red",    "green",  "blue",  "yellow",
                                                            "orange", "purple", "white", "black"};
/// The words a scene may show, drawn in capitals.
inline constexpr std::array<std::string_view, 24> kSceneWords = {
    "apple", "bread", "chair", "door", "fish", "gold", "horse", "king",  "lamp",  "milk", "moon",  "music",
    "night", "ocean", "paper", "rain", "road", "salt", "tiger", "train", "water", "wind", "zebra", "stop"};

/// Names of the nine cells, row by row.
inline constexpr std::array<std::string_view, 9> kCells = {
    "top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right"};

/// Classes of a patch: 0 background, 1 + shape * 8 + color, then one for every letter of every word. A letter
/// is labeled with its word, so that the tower learns to read words, not letters alone.
inline constexpr int64_t kFirstLetterClass = 1 + 6 * 8;
inline constexpr int64_t letter_class(size_t word, size_t letter) {
  auto place = static_cast<int64_t>(letter);
  for (size_t i = 0; i < word; ++i) place += static_cast<int64_t>(kSceneWords[i].size());
  return kFirstLetterClass + place;
}
inline constexpr int64_t kPatchClasses = letter_class(kSceneWords.size(), 0);

struct SceneObject {
  int shape = 0;                              ///< index into kShapes
  int color = 0;                              ///< index into kColors
  int cell = 0;                               ///< index into kCells
  float x = 0, y = 0, radius = 0, angle = 0;  ///< pixels, radians
};

struct SceneWord {
  int word = 0;  ///< index into kSceneWords
  int color = 0;
  float x = 0, y = 0;                      ///< top left corner of the first letter, pixels
  float width = 0, height = 0, pitch = 0;  ///< of one letter; pitch is the distance between letters
};

enum class Background { kFlat, kGradient, kNoise, kTexture };

/// Objects lie in distinct cells in reading order and do not overlap each other or the word.
struct Scene {
  std::vector<SceneObject> objects;
  bool has_word = false;
  SceneWord word;
  Background background = Background::kFlat;
  std::array<float, 3> background_color{};   ///< 0..1
  std::array<float, 3> background_second{};  ///< other end of the gradient or texture
};

/// 1-4 objects (0-3 beside a word); every color stands out from the background.
Scene random_scene(Random& random);

/// The picture; `random` draws only the noise, the texture and the lighting. uint8 [3,112,112].
Tensor render(const Scene& scene, Random& random);

/// Class of every 14-pixel patch: what covers most of it, background where that is below 30 %.
std::array<int64_t, kScenePatches> patch_labels(const Scene& scene);

/// An image without objects: 1/f color noise with photo-like edges and blobs, flat, white noise, gradients.
/// uint8 [3,112,112].
Tensor random_texture(Random& random);

}  // namespace hijack
