#include "src/pocket/scene.h"

#include <gtest/gtest.h>

#include <cstring>

#include "src/base/pch.h"
#include "src/pocket/raster.h"

namespace hijack::scene_test {
namespace {

bool same_pixels(const Tensor& a, const Tensor& b) {
  return a.numel() == b.numel() && std::memcmp(a.const_data_ptr<uint8_t>(), b.const_data_ptr<uint8_t>(),
                                               static_cast<size_t>(a.numel())) == 0;
}

std::array<float, 3> pixel(const Tensor& image, int64_t x, int64_t y) {
  std::array<float, 3> rgb{};
  const uint8_t* bytes = image.const_data_ptr<uint8_t>();
  for (int64_t c = 0; c < 3; ++c)
    rgb[static_cast<size_t>(c)] = static_cast<float>(bytes[(c * kSceneSide + y) * kSceneSide + x]) / 255.F;
  return rgb;
}

int nearest_color(const std::array<float, 3>& rgb) {
  int best = 0;
  float least = 9;
  for (int color = 0; color < 8; ++color) {
    float gap = 0;
    for (size_t c = 0; c < 3; ++c) gap += std::pow(rgb[c] - color_rgb(color)[c], 2.F);
    if (gap < least) least = gap, best = color;
  }
  return best;
}

bool inside(const SceneObject& object, float x, float y, float margin) {
  return object_distance(object, x - object.x, y - object.y) < -margin;
}

TEST(Scene, EqualSeedsGiveEqualPictures) {
  Random a(7), b(7), c(8);
  const Tensor first = render(random_scene(a), a), second = render(random_scene(b), b);
  EXPECT_TRUE(same_pixels(first, second));
  EXPECT_FALSE(same_pixels(first, render(random_scene(c), c)));
  EXPECT_EQ(first.numel(), 3 * kSceneSide * kSceneSide);
  Random d(3), e(3);
  EXPECT_TRUE(same_pixels(random_texture(d), random_texture(e)));
}

TEST(Scene, EverythingThereIsOccurs) {
  Random random(1);
  std::set<int> shapes, colors, cells, words, backgrounds;
  std::map<size_t, int> counts;
  for (int i = 0; i < 3000; ++i) {
    const Scene scene = random_scene(random);
    ++counts[scene.objects.size()];
    backgrounds.insert(static_cast<int>(scene.background));
    if (scene.has_word) words.insert(scene.word.word);
    for (const SceneObject& object : scene.objects)
      shapes.insert(object.shape), colors.insert(object.color), cells.insert(object.cell);
  }
  EXPECT_EQ(shapes.size(), 6U);
  EXPECT_EQ(colors.size(), 8U);
  EXPECT_EQ(cells.size(), 9U);
  EXPECT_EQ(words.size(), 24U);
  EXPECT_EQ(backgrounds.size(), 4U);
  for (size_t n = 0; n <= 4; ++n) EXPECT_GT(counts[n], 150) << n;
}

TEST(Scene, ObjectsAndWordKeepApartAndInside) {
  Random random(2);
  for (int i = 0; i < 300; ++i) {
    const Scene scene = random_scene(random);
    for (int64_t y = 0; y < kSceneSide; ++y)
      for (int64_t x = 0; x < kSceneSide; ++x) {
        const float px = static_cast<float>(x) + .5F, py = static_cast<float>(y) + .5F;
        int64_t cover = 0;
        for (const SceneObject& object : scene.objects) cover += inside(object, px, py, -.5F);
        if (scene.has_word) cover += word_coverage(scene.word, px, py) > 0;
        ASSERT_LE(cover, 1) << "scene " << i;
      }
    for (const SceneObject& object : scene.objects)
      for (float t = -4; t < kSceneSide + 4; ++t)
        for (const float edge : {-1.5F, kSceneSide + 1.5F}) {
          ASSERT_FALSE(inside(object, t, edge, 0)) << "scene " << i;
          ASSERT_FALSE(inside(object, edge, t, 0)) << "scene " << i;
        }
  }
}

TEST(Scene, PatchesShowTheColorOfTheirLabel) {
  Random random(3);
  int right = 0, all = 0;
  for (int i = 0; i < 200; ++i) {
    const Scene scene = random_scene(random);
    const Tensor image = render(scene, random);
    const auto labels = patch_labels(scene);
    for (int64_t patch = 0; patch < kScenePatches; ++patch) {
      const int64_t label = labels[static_cast<size_t>(patch)];
      ASSERT_LT(label, kPatchClasses);
      if (label == 0 || label >= kFirstLetterClass) continue;
      std::array<float, 3> mean{};
      float pixels = 0;
      for (int64_t k = 0; k < kScenePatch * kScenePatch; ++k) {
        const int64_t x = patch % 8 * kScenePatch + k % kScenePatch,
                      y = patch / 8 * kScenePatch + k / kScenePatch;
        const bool covered =
            std::any_of(scene.objects.begin(), scene.objects.end(), [&](const SceneObject& object) {
              return object.shape == (label - 1) / 8 && object.color == (label - 1) % 8 &&
                     inside(object, static_cast<float>(x) + .5F, static_cast<float>(y) + .5F, 1);
            });
        if (!covered) continue;
        ++pixels;
        for (size_t c = 0; c < 3; ++c) mean[c] += pixel(image, x, y)[c];
      }
      ASSERT_GT(pixels, 0);
      for (float& c : mean) c /= pixels;
      ++all;
      right += nearest_color(mean) == (label - 1) % 8;
    }
  }
  EXPECT_GT(all, 1000);
  EXPECT_GE(right, all * 99 / 100);
}

TEST(Scene, EveryObjectHasItsLabelAndEveryLetterMostlyItsOwn) {
  Random random(4);
  int letters = 0, labeled = 0;
  for (int i = 0; i < 500; ++i) {
    const Scene scene = random_scene(random);
    const auto labels = patch_labels(scene);
    for (const SceneObject& object : scene.objects)
      EXPECT_NE(std::find(labels.begin(), labels.end(), 1 + object.shape * 8 + object.color), labels.end())
          << "scene " << i << ' ' << kShapes[static_cast<size_t>(object.shape)];
    if (!scene.has_word) continue;
    const auto word = static_cast<size_t>(scene.word.word);
    for (size_t letter = 0; letter < kSceneWords[word].size(); ++letter) {
      ++letters;
      labeled += std::find(labels.begin(), labels.end(), letter_class(word, letter)) != labels.end();
    }
  }
  EXPECT_GT(labeled, letters * 85 / 100);
}

TEST(Scene, LettersStandOutFromTheirBackground) {
  Random random(5);
  int words = 0, legible = 0;
  for (int i = 0; i < 400; ++i) {
    const Scene scene = random_scene(random);
    if (!scene.has_word) continue;
    const Tensor image = render(scene, random);
    std::array<float, 3> ink{}, paper{};
    float ink_pixels = 0, paper_pixels = 0;
    for (int64_t y = 0; y < kSceneSide; ++y)
      for (int64_t x = 0; x < kSceneSide; ++x) {
        const auto rgb = pixel(image, x, y);
        const float py = static_cast<float>(y) + .5F;
        if (py < scene.word.y || py > scene.word.y + scene.word.height) continue;
        const bool on = word_coverage(scene.word, static_cast<float>(x) + .5F, py) > 0;
        (on ? ink_pixels : paper_pixels) += 1;
        for (size_t c = 0; c < 3; ++c) (on ? ink : paper)[c] += rgb[c];
      }
    float gap = 0;
    for (size_t c = 0; c < 3; ++c) gap += std::pow(ink[c] / ink_pixels - paper[c] / paper_pixels, 2.F);
    ++words;
    legible += std::sqrt(gap) > .3F;
  }
  EXPECT_GT(words, 100);
  EXPECT_GE(legible, words * 97 / 100);
}

}  // namespace
}  // namespace hijack::scene_test
