#include "src/pocket/scene.h"

#include "src/base/pch.h"
#include "src/pocket/raster.h"

namespace hijack {
namespace {

constexpr float kCellSide = kSceneSide / 3.F;
constexpr float kObjectGap = .42F, kWordGap = .55F;  // in RGB, thin strokes need more

float color_gap(const std::array<float, 3>& a, const std::array<float, 3>& b) {
  float sum = 0;
  for (size_t c = 0; c < 3; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return std::sqrt(sum);
}

bool stands_out(const Scene& scene, int color, float gap) {
  const auto& rgb = color_rgb(color);
  return color_gap(rgb, scene.background_color) > gap && color_gap(rgb, scene.background_second) > gap;
}

/// Muted, so that the eight strong colors stay apart from it.
std::array<float, 3> muted_color(Random& random) {
  const double gray = random.uniform(.12, .9), tint = random.uniform(0, .14);
  std::array<float, 3> color{};
  for (float& c : color) c = static_cast<float>(std::clamp(gray + random.uniform(-tint, tint), 0.0, 1.0));
  return color;
}

void choose_background(Scene& scene, Random& random) {
  scene.background = static_cast<Background>(random.below(4));
  scene.background_color = muted_color(random);
  scene.background_second = scene.background_color;
  if (scene.background != Background::kFlat && scene.background != Background::kNoise)
    for (float& c : scene.background_second)
      c = std::clamp(c + static_cast<float>(random.uniform(-.22, .22)), .05F, .95F);
}

/// A color at least `gap` from both background colors, where there is one.
int visible_color(const Scene& scene, Random& random, float gap) {
  int color = 0;
  for (int i = 0; i < 100; ++i) {
    color = static_cast<int>(random.below(kColors.size()));
    if (stands_out(scene, color, gap)) break;
  }
  return color;
}

void place_word(Scene& scene, Random& random, int row) {
  SceneWord& word = scene.word;
  scene.has_word = true;
  word.word = static_cast<int>(random.below(kSceneWords.size()));
  word.color = visible_color(scene, random, kWordGap);
  const auto letters = static_cast<int64_t>(kSceneWords[static_cast<size_t>(word.word)].size());
  word.pitch = 14;
  word.width = static_cast<float>(random.uniform(9, 11.5));
  word.height = static_cast<float>(random.uniform(10.5, 13.5));
  // Mostly near the grid of the patches, sometimes anywhere.
  const double jitter = random.chance(.7) ? 2 : 7;
  const double column = static_cast<double>(random.between(0, 8 - letters)) * 14 + 1.5;
  const double line = static_cast<double>(row * 3 + random.between(0, row == 2 ? 1 : 2)) * 14 + .5;
  const double last_x = static_cast<double>(kSceneSide - letters * 14);
  word.x = static_cast<float>(std::clamp(column + random.uniform(-jitter, jitter), 0.0, last_x + 2));
  const double first_y = row * kCellSide, last_y = (row + 1) * kCellSide - word.height;
  word.y = static_cast<float>(std::clamp(line + random.uniform(-jitter, jitter), first_y, last_y));
}

void place_objects(Scene& scene, Random& random, std::vector<int> cells, int64_t count) {
  random.shuffle(cells);
  cells.resize(static_cast<size_t>(count));
  std::sort(cells.begin(), cells.end());
  for (const int cell : cells) {
    SceneObject object;
    object.cell = cell;
    object.shape = static_cast<int>(random.below(kShapes.size()));
    object.color = visible_color(scene, random, kObjectGap);
    // Repeated shapes and colors make counting and hard negatives interesting.
    if (!scene.objects.empty() && random.chance(.22)) object.shape = random.pick(scene.objects).shape;
    if (!scene.objects.empty() && random.chance(.22)) object.color = random.pick(scene.objects).color;
    object.radius = static_cast<float>(random.uniform(12.5, 17));
    object.angle = static_cast<float>(random.uniform(-.25, .25));
    const double free = kCellSide / 2 - object.radius;
    object.x =
        kCellSide * (static_cast<float>(cell % 3) + .5F) + static_cast<float>(random.uniform(-free, free));
    object.y =
        kCellSide * (static_cast<float>(cell / 3) + .5F) + static_cast<float>(random.uniform(-free, free));
    scene.objects.push_back(object);
  }
}

void paint_background(Canvas& canvas, const Scene& scene, Random& random) {
  if (scene.background == Background::kGradient)
    fill_gradient(canvas, scene.background_color, scene.background_second, random.uniform(0, 6.2832));
  else
    fill_flat(canvas, scene.background_color);
  if (scene.background == Background::kNoise)
    add_pixel_noise(canvas, random, static_cast<float>(random.uniform(.02, .08)), random.chance(.5));
  if (scene.background == Background::kTexture) {
    const auto field = value_noise(random, 5, random.uniform(.5, 1.2));
    for (size_t c = 0; c < 3; ++c)
      for (size_t i = 0; i < field.size(); ++i) {
        const float t = std::clamp(.5F + .5F * field[i], 0.F, 1.F);
        canvas.channel(static_cast<int64_t>(c))[i] =
            scene.background_color[c] + t * (scene.background_second[c] - scene.background_color[c]);
      }
  }
}

/// A weak gradient of light over the whole picture, and a little sensor noise.
void light(Canvas& canvas, Random& random) {
  const double angle = random.uniform(0, 6.2832), slope = random.uniform(0, .16);
  const auto base = static_cast<float>(random.uniform(.9, 1.06));
  const auto dx = static_cast<float>(std::cos(angle) * slope / kSceneSide);
  const auto dy = static_cast<float>(std::sin(angle) * slope / kSceneSide);
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t y = 0; y < kSceneSide; ++y)
      for (int64_t x = 0; x < kSceneSide; ++x)
        canvas.channel(c)[y * kSceneSide + x] *=
            base + dx * static_cast<float>(x - kSceneSide / 2) + dy * static_cast<float>(y - kSceneSide / 2);
  if (random.chance(.6))
    add_pixel_noise(canvas, random, static_cast<float>(random.uniform(.003, .025)), false);
}

}  // namespace

Scene random_scene(Random& random) {
  Scene scene;
  choose_background(scene, random);
  std::vector<int> cells(9);
  std::iota(cells.begin(), cells.end(), 0);
  int64_t count = random.between(1, 4);
  if (random.chance(.4)) {
    const auto row = static_cast<int>(random.below(3));
    place_word(scene, random, row);
    std::erase_if(cells, [&](int cell) { return cell / 3 == row; });
    count = random.between(0, 3);
  }
  place_objects(scene, random, cells, count);
  return scene;
}

Tensor render(const Scene& scene, Random& random) {
  Canvas canvas;
  paint_background(canvas, scene, random);
  for (const SceneObject& object : scene.objects) draw_object(canvas, object);
  if (scene.has_word) draw_word(canvas, scene.word);
  light(canvas, random);
  return to_image(canvas);
}

std::array<int64_t, kScenePatches> patch_labels(const Scene& scene) {
  constexpr int64_t kGrid = 7;  // samples per side of a patch
  constexpr float kLeast = .3F;
  std::array<int64_t, kScenePatches> labels{};
  std::array<float, kScenePatches> best{};
  best.fill(kLeast);
  const auto consider = [&](size_t patch, float share, int64_t label) {
    if (share > best[patch]) best[patch] = share, labels[patch] = label;
  };
  for (size_t patch = 0; patch < kScenePatches; ++patch) {
    const auto left = static_cast<float>(patch % 8 * kScenePatch),
               top = static_cast<float>(patch / 8 * kScenePatch);
    for (const SceneObject& object : scene.objects) {
      if (std::abs(left + 7 - object.x) > 28 || std::abs(top + 7 - object.y) > 28) continue;
      float inside = 0;
      for (int64_t i = 0; i < kGrid * kGrid; ++i)
        inside += object_distance(object, left + static_cast<float>(2 * (i % kGrid) + 1) - object.x,
                                  top + static_cast<float>(2 * (i / kGrid) + 1) - object.y) < 0;
      consider(patch, inside / (kGrid * kGrid), 1 + object.shape * 8 + object.color);
    }
    if (!scene.has_word) continue;
    const std::string_view text = kSceneWords[static_cast<size_t>(scene.word.word)];
    for (size_t i = 0; i < text.size(); ++i) {
      const float x = scene.word.x + static_cast<float>(i) * scene.word.pitch;
      const float wide = std::min(left + 14, x + scene.word.width) - std::max(left, x);
      const float high = std::min(top + 14, scene.word.y + scene.word.height) - std::max(top, scene.word.y);
      if (wide > 0 && high > 0)
        consider(patch, wide * high / (scene.word.width * scene.word.height),
                 letter_class(static_cast<size_t>(scene.word.word), i));
    }
  }
  return labels;
}

}  // namespace hijack
