#include "src/pocket/raster.h"

#include "src/base/pch.h"

namespace hijack {
namespace {

constexpr std::array<std::array<float, 3>, 8> kRgb = {{{.87F, .10F, .10F},
                                                       {.10F, .62F, .18F},
                                                       {.12F, .24F, .88F},
                                                       {.97F, .90F, .12F},
                                                       {1.0F, .52F, .05F},
                                                       {.56F, .14F, .70F},
                                                       {.98F, .98F, .98F},
                                                       {.03F, .03F, .03F}}};

constexpr float kPi = 3.14159265F;

/// Distance to a regular polygon star with `points` tips: outer radius 1, inner radius `inner`.
float star_distance(float x, float y, int points, float inner) {
  const float sector = kPi / static_cast<float>(points);
  const float radius = std::sqrt(x * x + y * y);
  float angle = std::fmod(std::atan2(x, -y) + 4 * kPi, 2 * sector);  // 0 points up
  angle = std::min(angle, 2 * sector - angle);
  const float px = radius * std::cos(angle), py = radius * std::sin(angle);
  // Edge from the tip (1, 0) to the inner corner.
  const float ex = inner * std::cos(sector) - 1, ey = inner * std::sin(sector);
  const float t = std::clamp(((px - 1) * ex + py * ey) / (ex * ex + ey * ey), 0.F, 1.F);
  const float dx = px - 1 - t * ex, dy = py - t * ey;
  const float side = ex * py - ey * (px - 1);
  return std::copysign(std::sqrt(dx * dx + dy * dy), -side);
}

float box_distance(float x, float y, float half_width, float half_height) {
  const float dx = std::abs(x) - half_width, dy = std::abs(y) - half_height;
  const float ox = std::max(dx, 0.F), oy = std::max(dy, 0.F);
  return std::sqrt(ox * ox + oy * oy) + std::min(std::max(dx, dy), 0.F);
}

/// In units of the object's radius.
float unit_distance(int shape, float x, float y) {
  switch (shape) {
    case 0:
      return std::sqrt(x * x + y * y) - .95F;
    case 1:
      return box_distance(x, y, .82F, .82F);
    case 2:
      return star_distance(x, y + .12F, 3, .5F);
    case 3:
      return star_distance(x, y, 5, .42F);
    case 4:
      return std::min(box_distance(x, y, .3F, .95F), box_distance(x, y, .95F, .3F));
    default:
      return std::abs(std::sqrt(x * x + y * y) - .74F) - .22F;
  }
}

}  // namespace

const std::array<float, 3>& color_rgb(int color) {
  return kRgb[static_cast<size_t>(color)];
}

float object_distance(const SceneObject& object, float dx, float dy) {
  const float cosine = std::cos(object.angle), sine = std::sin(object.angle);
  const float x = (cosine * dx + sine * dy) / object.radius, y = (cosine * dy - sine * dx) / object.radius;
  return unit_distance(object.shape, x, y) * object.radius;
}

void draw_object(Canvas& canvas, const SceneObject& object) {
  const float reach = object.radius * 1.3F + 1;
  const auto clamp = [](float v) { return std::clamp<int64_t>(static_cast<int64_t>(v), 0, kSceneSide); };
  const auto& rgb = color_rgb(object.color);
  for (int64_t y = clamp(object.y - reach); y < clamp(object.y + reach + 1); ++y)
    for (int64_t x = clamp(object.x - reach); x < clamp(object.x + reach + 1); ++x) {
      const float distance = object_distance(object, static_cast<float>(x) + .5F - object.x,
                                             static_cast<float>(y) + .5F - object.y);
      const float ink = std::clamp(.5F - distance, 0.F, 1.F);
      if (ink <= 0) continue;
      for (int64_t c = 0; c < 3; ++c) {
        float& value = canvas.channel(c)[y * kSceneSide + x];
        value += ink * (rgb[static_cast<size_t>(c)] - value);
      }
    }
}

std::vector<float> value_noise(Random& random, int octaves, double slope) {
  std::vector<float> sum(static_cast<size_t>(kSceneSide * kSceneSide), 0.F);
  double power = 0;
  for (int octave = 0; octave < octaves; ++octave) {
    const int64_t cells = int64_t{2} << octave, side = cells + 2;
    const auto amplitude = static_cast<float>(std::pow(2.0, -slope * octave));
    power += amplitude * amplitude / 9.0;  // uniform in +-1, about a third lost to interpolation
    std::vector<float> grid(static_cast<size_t>(side * side));
    for (float& value : grid) value = amplitude * (2 * static_cast<float>(random.uniform()) - 1);
    const auto shift_x = static_cast<float>(random.uniform()), shift_y = static_cast<float>(random.uniform());
    const float scale = static_cast<float>(cells) / kSceneSide;
    for (int64_t y = 0; y < kSceneSide; ++y) {
      const float v = static_cast<float>(y) * scale + shift_y;
      const auto row = static_cast<int64_t>(v);
      const float fy = v - static_cast<float>(row);
      const float* above = grid.data() + row * side;
      const float* below = above + side;
      for (int64_t x = 0; x < kSceneSide; ++x) {
        const float u = static_cast<float>(x) * scale + shift_x;
        const auto column = static_cast<int64_t>(u);
        const float fx = u - static_cast<float>(column);
        const float high = above[column] + fx * (above[column + 1] - above[column]);
        const float low = below[column] + fx * (below[column + 1] - below[column]);
        sum[static_cast<size_t>(y * kSceneSide + x)] += high + fy * (low - high);
      }
    }
  }
  const auto scale = static_cast<float>(1 / std::sqrt(power));
  for (float& value : sum) value *= scale;
  return sum;
}

void fill_flat(Canvas& canvas, const std::array<float, 3>& color) {
  for (int64_t c = 0; c < 3; ++c)
    std::fill_n(canvas.channel(c), kSceneSide * kSceneSide, color[static_cast<size_t>(c)]);
}

void fill_gradient(Canvas& canvas, const std::array<float, 3>& from, const std::array<float, 3>& to,
                   double angle) {
  const auto dx = static_cast<float>(std::cos(angle) / kSceneSide),
             dy = static_cast<float>(std::sin(angle) / kSceneSide);
  const float middle = (kSceneSide - 1) / 2.F;
  for (int64_t y = 0; y < kSceneSide; ++y)
    for (int64_t x = 0; x < kSceneSide; ++x) {
      const float t = std::clamp(
          .5F + (static_cast<float>(x) - middle) * dx + (static_cast<float>(y) - middle) * dy, 0.F, 1.F);
      for (size_t c = 0; c < 3; ++c)
        canvas.channel(static_cast<int64_t>(c))[y * kSceneSide + x] = from[c] + t * (to[c] - from[c]);
    }
}

void add_pixel_noise(Canvas& canvas, Random& random, float deviation, bool gray) {
  // The sum of three 21-bit uniforms is close enough to a normal draw, and one call.
  const auto draw = [&] {
    const uint64_t bits = random.bits();
    constexpr uint64_t kMask = (1U << 21) - 1;
    const auto sum = static_cast<float>((bits & kMask) + (bits >> 21 & kMask) + (bits >> 42 & kMask));
    return (sum / static_cast<float>(kMask) - 1.5F) * 2 * deviation;
  };
  const int64_t pixels = kSceneSide * kSceneSide;
  for (int64_t i = 0; i < pixels; ++i) {
    const float first = draw();
    for (int64_t c = 0; c < 3; ++c) canvas.channel(c)[i] += c == 0 || gray ? first : draw();
  }
}

Tensor to_image(const Canvas& canvas) {
  Tensor image = at::empty({3, kSceneSide, kSceneSide}, at::kByte);
  uint8_t* bytes = image.mutable_data_ptr<uint8_t>();
  for (size_t i = 0; i < canvas.values.size(); ++i)
    bytes[i] = static_cast<uint8_t>(std::clamp(canvas.values[i], 0.F, 1.F) * 255.F + .5F);
  return image;
}

}  // namespace hijack
