#include "src/training/evaluation.h"

#include "src/base/image.h"
#include "src/base/random.h"
#include "src/pocket/grammar.h"

namespace hijack {
namespace {

constexpr int64_t kDraws = 400;
constexpr int64_t kChunk = 50;

Tensor random_signs(Random& random, at::IntArrayRef shape) {
  return random.normal_tensor(shape).sign();
}

// [n,T,D]: change of the image features under n random sign patterns of size epsilon
Tensor feature_changes(const VisionLanguageModel& model, const Tensor& image, double epsilon, int64_t n,
                       Random& random) {
  const Tensor base = model.image_features(model.preprocess(image)).to(at::kFloat);
  std::vector<Tensor> changes;
  for (int64_t done = 0; done < n; done += kChunk) {
    Tensor noisy =
        (image + epsilon * random_signs(random, {kChunk, 3, image.size(2), image.size(3)})).clamp(0, 1);
    std::vector<Tensor> pixels;
    for (int64_t i = 0; i < kChunk; ++i) pixels.push_back(model.preprocess(noisy.narrow(0, i, 1)).values);
    changes.push_back(model.image_features({at::cat(pixels), image.size(2), image.size(3)}).to(at::kFloat) -
                      base);
  }
  return at::cat(changes);
}

}  // namespace

std::map<std::string, TaskScore> score_tasks(const VisionLanguageModel& model,
                                             const std::vector<UtilityItem>& items) {
  const at::NoGradGuard no_gradients;
  std::map<std::string, TaskScore> scores;
  const auto language = model.language_model();
  for (const auto& item : items) {
    const Query query{.prompt = item.exercise.prompt};
    const std::string reply =
        item.image.defined()
            ? model.generate(model.preprocess(from_bytes(item.image.unsqueeze(0))), std::span(&query, 1), {})
                  .front()
                  .text
            : language->generate(std::span(&query, 1), {}).front().text;
    TaskScore& score = scores[std::string(task_name(item.exercise.task))];
    ++score.n;
    score.visual = item.exercise.visual;
    if (graded_right(item.exercise, reply))
      ++score.right;
    else if (score.wrong.size() < 5)
      score.wrong.push_back(item.exercise.prompt + " -> " + reply + " (" + item.exercise.answer + ")");
  }
  return scores;
}

HijackGate measure_gate(const VisionLanguageModel& model, uint64_t seed) {
  const at::NoGradGuard no_gradients;
  Random random(seed);
  const Tensor scene = from_bytes(render(random_scene(random), random).unsqueeze(0));
  const Tensor changes = feature_changes(model, scene, 4.0 / 255, kDraws, random).transpose(0, 1);  // [T,n,D]
  const Tensor energy = at::linalg_svdvals(changes.cpu() - changes.cpu().mean(1, true)).square();   // [T,k]
  const Tensor total = energy.sum(-1);
  HijackGate gate;
  gate.participation_ratio = (total.square() / energy.square().sum(-1)).median().item<double>();
  const Tensor share = energy.cumsum(-1) / total.unsqueeze(-1);
  gate.dimensions_90 = ((share < 0.9).sum(-1) + 1).to(at::kFloat).median().item<double>();
  const Tensor base = model.image_features(model.preprocess(scene)).to(at::kFloat);
  const Tensor moved = feature_changes(model, scene, 8.0 / 255, kChunk, random);
  gate.movement = (moved.norm(2, -1) / base.norm(2, -1)).median().item<double>();
  return gate;
}

}  // namespace hijack
