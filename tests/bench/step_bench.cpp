// make bench: seconds per attack step on the shipped model, and the two inner loops that are ours.
#include <benchmark/benchmark.h>

#include "attacks/loop/evaluate.h"
#include "attacks/objectives/behavior_matching.h"
#include "models/load_model.h"
#include "models/preprocess/resampler.h"
#include "src/base/image.h"
#include "src/experiment/plan/shipped.h"

namespace hijack {
namespace {

const std::filesystem::path kPhoto = std::filesystem::path(HIJACK_SOURCE_DIR) / "samples/images/chelsea.png";

const std::shared_ptr<const VisionLanguageModel>& shipped() {
  static const auto model = load_model(shipped_model());
  return model;
}

/// One loss and gradient over as many contexts as the argument says.
void attack_step(benchmark::State& state) {
  const std::shared_ptr<const Behavior> behavior = make_behavior({"string", default_target("string", shipped_model())});
  std::vector<Context> contexts;
  for (int64_t i = 0; i < state.range(0); ++i)
    contexts.push_back({.prompt = "What is in picture number " + std::to_string(i) + "?"});
  BehaviorMatching objective(shipped(), behavior, contexts, /*batch=*/0, /*seed=*/0);
  const Tensor image = shipped()->to_input_space(load_image(kPhoto));
  for (auto _ : state) benchmark::DoNotOptimize(evaluate(objective, image, /*step=*/0));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(attack_step)->Arg(1)->Arg(8)->Unit(benchmark::kMillisecond);

void tokenize(benchmark::State& state) {
  const std::string text = "Please describe the picture, then tell me how many red circles there are.";
  for (auto _ : state) benchmark::DoNotOptimize(shipped()->tokenizer().encode(text, false));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(tokenize);

void resize_photo(benchmark::State& state) {
  const Tensor bytes = to_bytes(load_image(kPhoto));
  for (auto _ : state) benchmark::DoNotOptimize(resize_bytes(bytes, 224, 224, Filter::kBicubic));
}
BENCHMARK(resize_photo)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hijack
