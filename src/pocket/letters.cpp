#include "src/base/pch.h"
#include "src/pocket/raster.h"

namespace hijack {
namespace {

// The classic 5x7 dot-matrix capitals.
constexpr std::array<std::array<uint8_t, 7>, 26> kLetters = {{
    {0x0E, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11},  // A
    {0x1E, 0x11, 0x11, 0x1E, 0x11, 0x11, 0x1E},  // B
    {0x0E, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0E},  // C
    {0x1E, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1E},  // D
    {0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x1F},  // E
    {0x1F, 0x10, 0x10, 0x1E, 0x10, 0x10, 0x10},  // F
    {0x0E, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0F},  // G
    {0x11, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11},  // H
    {0x0E, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0E},  // I
    {0x07, 0x02, 0x02, 0x02, 0x02, 0x12, 0x0C},  // J
    {0x11, 0x12, 0x14, 0x18, 0x14, 0x12, 0x11},  // K
    {0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1F},  // L
    {0x11, 0x1B, 0x15, 0x15, 0x11, 0x11, 0x11},  // M
    {0x11, 0x19, 0x19, 0x15, 0x13, 0x13, 0x11},  // N
    {0x0E, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0E},  // O
    {0x1E, 0x11, 0x11, 0x1E, 0x10, 0x10, 0x10},  // P
    {0x0E, 0x11, 0x11, 0x11, 0x15, 0x12, 0x0D},  // Q
    {0x1E, 0x11, 0x11, 0x1E, 0x14, 0x12, 0x11},  // R
    {0x0F, 0x10, 0x10, 0x0E, 0x01, 0x01, 0x1E},  // S
    {0x1F, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04},  // T
    {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0E},  // U
    {0x11, 0x11, 0x11, 0x11, 0x11, 0x0A, 0x04},  // V
    {0x11, 0x11, 0x11, 0x15, 0x15, 0x1B, 0x11},  // W
    {0x11, 0x11, 0x0A, 0x04, 0x0A, 0x11, 0x11},  // X
    {0x11, 0x11, 0x0A, 0x04, 0x04, 0x04, 0x04},  // Y
    {0x1F, 0x01, 0x02, 0x04, 0x08, 0x10, 0x1F},  // Z
}};

}  // namespace

const std::array<uint8_t, 7>& letter_rows(char letter) {
  TORCH_CHECK(letter >= 'a' && letter <= 'z', "no such letter");
  return kLetters[static_cast<size_t>(letter - 'a')];
}

float word_coverage(const SceneWord& word, float px, float py) {
  const std::string_view text = kSceneWords[static_cast<size_t>(word.word)];
  const float dy = (py - word.y) / word.height * 7;
  if (dy < 0 || dy >= 7) return 0;
  const int64_t index = static_cast<int64_t>(std::floor((px - word.x) / word.pitch));
  if (index < 0 || index >= static_cast<int64_t>(text.size())) return 0;
  const float dx = (px - word.x - static_cast<float>(index) * word.pitch) / word.width * 5;
  if (dx < 0 || dx >= 5) return 0;
  const uint8_t row = letter_rows(text[static_cast<size_t>(index)])[static_cast<size_t>(dy)];
  return static_cast<float>(row >> (4 - static_cast<int>(dx)) & 1);
}

void draw_word(Canvas& canvas, const SceneWord& word) {
  const std::string_view text = kSceneWords[static_cast<size_t>(word.word)];
  const auto& rgb = color_rgb(word.color);
  const int64_t left = std::max<int64_t>(0, static_cast<int64_t>(word.x) - 1);
  const int64_t right = std::min<int64_t>(
      kSceneSide, static_cast<int64_t>(word.x + word.pitch * static_cast<float>(text.size())) + 2);
  const int64_t top = std::max<int64_t>(0, static_cast<int64_t>(word.y) - 1);
  const int64_t bottom = std::min<int64_t>(kSceneSide, static_cast<int64_t>(word.y + word.height) + 2);
  constexpr int kSamples = 3;  // per side
  for (int64_t y = top; y < bottom; ++y)
    for (int64_t x = left; x < right; ++x) {
      float ink = 0;
      for (int i = 0; i < kSamples * kSamples; ++i)
        ink +=
            word_coverage(word, static_cast<float>(x) + (static_cast<float>(i % kSamples) + .5F) / kSamples,
                          static_cast<float>(y) + (static_cast<float>(i / kSamples) + .5F) / kSamples);
      ink /= kSamples * kSamples;
      for (int64_t c = 0; c < 3; ++c) {
        float& value = canvas.channel(c)[y * kSceneSide + x];
        value += ink * (rgb[static_cast<size_t>(c)] - value);
      }
    }
}

}  // namespace hijack
