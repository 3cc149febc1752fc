#include "src/base/pch.h"
#include "src/pocket/raster.h"

namespace hijack {
namespace {

/// Mostly muted, as in photographs, sometimes saturated.
std::array<float, 3> any_color(Random& random) {
  const double gray = random.uniform(), tint = random.chance(.3) ? 1 : random.uniform(0, .5);
  std::array<float, 3> color{};
  for (float& c : color) c = static_cast<float>(gray + tint * (random.uniform() - gray));
  return color;
}

/// Correlated color noise around a mean, as in photographs: one strong common field and two weak color
/// fields.
void add_photo_noise(Canvas& canvas, Random& random) {
  const double slope = random.uniform(.5, 1.3);
  const auto strength = static_cast<float>(random.uniform(.08, .28));
  const auto color_strength = static_cast<float>(random.uniform(.02, .12));
  const auto common = value_noise(random, 6, slope);
  const auto first = value_noise(random, 4, slope), second = value_noise(random, 4, slope);
  const float mix[3][2] = {{1, 0}, {-.5F, .87F}, {-.5F, -.87F}};
  for (int64_t c = 0; c < 3; ++c)
    for (size_t i = 0; i < common.size(); ++i)
      canvas.channel(c)[i] +=
          strength * common[i] + color_strength * (mix[c][0] * first[i] + mix[c][1] * second[i]);
}

/// Soft or hard-edged ellipses and half planes, the edges of photographs.
void add_regions(Canvas& canvas, Random& random, int64_t count) {
  for (int64_t k = 0; k < count; ++k) {
    const auto color = any_color(random);
    const auto x0 = static_cast<float>(random.uniform(-10, 122)),
               y0 = static_cast<float>(random.uniform(-10, 122));
    const auto rx = static_cast<float>(random.uniform(5, 60)), ry = static_cast<float>(random.uniform(5, 60));
    const auto angle = random.uniform(0, 3.1416);
    const auto softness = static_cast<float>(random.uniform(.02, .8)),
               opacity = static_cast<float>(random.uniform(.3, 1));
    const bool half_plane = random.chance(.25);
    const auto cosine = static_cast<float>(std::cos(angle)), sine = static_cast<float>(std::sin(angle));
    for (int64_t y = 0; y < kSceneSide; ++y)
      for (int64_t x = 0; x < kSceneSide; ++x) {
        const float dx = static_cast<float>(x) - x0, dy = static_cast<float>(y) - y0;
        const float u = (cosine * dx + sine * dy) / rx, v = (cosine * dy - sine * dx) / ry;
        const float inside = half_plane ? -u : 1 - std::sqrt(u * u + v * v);
        const float ink = opacity * std::clamp(.5F + inside / softness, 0.F, 1.F);
        if (ink <= 0) continue;
        for (size_t c = 0; c < 3; ++c) {
          float& value = canvas.channel(static_cast<int64_t>(c))[y * kSceneSide + x];
          value += ink * (color[c] - value);
        }
      }
  }
}

}  // namespace

Tensor random_texture(Random& random) {
  Canvas canvas;
  const double kind = random.uniform();
  if (kind < .08) {
    fill_flat(canvas, any_color(random));
  } else if (kind < .16) {
    fill_flat(canvas, any_color(random));
    add_pixel_noise(canvas, random, static_cast<float>(random.uniform(.02, .35)), random.chance(.3));
  } else if (kind < .30) {
    fill_gradient(canvas, any_color(random), any_color(random), random.uniform(0, 6.2832));
    add_regions(canvas, random, random.between(0, 3));
  } else {
    fill_gradient(canvas, any_color(random), any_color(random), random.uniform(0, 6.2832));
    add_regions(canvas, random, random.between(0, 5));
    add_photo_noise(canvas, random);
    if (random.chance(.5))
      add_pixel_noise(canvas, random, static_cast<float>(random.uniform(.005, .04)), random.chance(.3));
  }
  return to_image(canvas);
}

}  // namespace hijack
