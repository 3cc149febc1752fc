#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "src/base/random.h"
#include "src/base/tensor.h"
#include "src/pocket/scene.h"

// The rasterizer behind scenes and textures: float canvases and signed distances.

namespace hijack {

/// 112x112 pixels of RGB in [0,1], channel-major.
struct Canvas {
  std::vector<float> values = std::vector<float>(3 * kSceneSide * kSceneSide, 0.F);
  float* channel(int64_t c) { return values.data() + c * kSceneSide * kSceneSide; }
};

/// RGB of a color of kColors, 0..1.
const std::array<float, 3>& color_rgb(int color);

/// Signed distance in pixels from (dx, dy), relative to the object's center, to its outline; negative inside.
float object_distance(const SceneObject& object, float dx, float dy);

/// Share of the pixel centered at (px, py) that ink of the word covers, 0..1.
float word_coverage(const SceneWord& word, float px, float py);
/// Rows of the 7-row by 5-column bitmap of a letter 'a'..'z', most significant of 5 bits on the left.
const std::array<uint8_t, 7>& letter_rows(char letter);

void draw_object(Canvas& canvas, const SceneObject& object);
void draw_word(Canvas& canvas, const SceneWord& word);

/// Adds smooth noise of unit range: octaves of bilinear value noise whose amplitude falls as
/// 1/frequency^slope. Returns kSceneSide^2 values of about zero mean and unit deviation.
std::vector<float> value_noise(Random& random, int octaves, double slope);
void fill_flat(Canvas& canvas, const std::array<float, 3>& color);
void fill_gradient(Canvas& canvas, const std::array<float, 3>& from, const std::array<float, 3>& to,
                   double angle);
/// Independent noise per pixel, gray or per channel, with this deviation.
void add_pixel_noise(Canvas& canvas, Random& random, float deviation, bool gray);
/// Clamped and rounded: uint8 [3,112,112].
Tensor to_image(const Canvas& canvas);

}  // namespace hijack
