#include "src/pocket/sample.h"

#include "src/base/pch.h"

namespace hijack {

PocketSample draw_sample(uint64_t seed, uint64_t index, Wording wording) {
  Random random = Random(seed).fork(wording == Wording::kTrain ? "train sample" : "held-out sample", index);
  PocketSample sample;
  const double kind = random.uniform();
  sample.has_image = kind >= .2;
  sample.is_scene = kind >= .35;
  Scene scene;
  if (sample.is_scene) {
    scene = random_scene(random);
    sample.image = render(scene, random);
    sample.patch_labels = patch_labels(scene);
  } else if (sample.has_image) {
    sample.image = random_texture(random);
  }
  for (int64_t n = random.between(5, 6); n > 0; --n)
    sample.exercises.push_back(draw_exercise(sample.has_image ? &scene : nullptr, random, wording));
  return sample;
}

}  // namespace hijack
