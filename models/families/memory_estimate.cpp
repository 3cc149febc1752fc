#include "models/families/memory_estimate.h"

#include <c10/core/ScalarType.h>

#include <chrono>
#include <limits>

#include "models/checkpoint/parameter_source.h"
#include "models/dtype.h"

namespace hijack {
namespace {

constexpr int64_t kTarget = 16, kReply = 48;

}  // namespace

MemoryEstimate estimate_memory(const ImagePromptModel& model, const Pixels& pixels, int64_t parameters,
                               const std::string& dtype, int64_t contexts) {
  const DecoderConfig& config = model.decoder().config();
  const bool autocast = dtype == "autocast";
  const auto stream = static_cast<double>(c10::elementSize(weight_dtype(dtype))),
             size = autocast ? 2 : stream;
  const auto prompt = model.input_ids(pixels, {.prompt = "What is in this picture?"}).size();
  // the image once, text and target of each context
  const auto image = static_cast<double>(model.image_tokens(pixels)), each = static_cast<double>(contexts);
  const double alone = static_cast<double>(prompt) + kTarget, targets = each * kTarget;
  const double tokens = image + each * (alone - image), layers = static_cast<double>(config.layers);
  const double width = static_cast<double>(config.width), mlp = static_cast<double>(config.mlp_width);
  const auto heads = static_cast<double>(config.heads * config.head_dim);
  const auto keys = static_cast<double>(config.kv_heads * config.head_dim);
  const auto vocabulary = static_cast<double>(config.vocabulary);
  const double block = tokens * (2 * (width + heads + keys + mlp)), in_flight = 3 * tokens * mlp;
  const double passed = layers * tokens * width;  // from block to block
  const auto tower = model.tower_activations(pixels);

  MemoryEstimate estimate;
  estimate.weights = static_cast<double>(parameters) * size;
  if (autocast) estimate.weights += 2 * vocabulary * width * (config.tied_head ? 2 : 1);
  const double fixed = estimate.weights + size * in_flight + 12 * targets * vocabulary;
  const double inputs = static_cast<double>(tower.inputs) + passed;
  estimate.attack =
      fixed + size * (static_cast<double>(tower.all) + layers * block) + (stream - size) * 2 * inputs;
  estimate.attack_checkpointed =
      fixed + stream * inputs + size * std::max(static_cast<double>(tower.block), block);
  estimate.chat =
      estimate.weights + size * (2 * layers * (alone + kReply) * keys + 3 * alone * mlp) + 4 * vocabulary;
  const double weights = 2 * (2 * width * (heads + keys) + 3 * width * mlp), attention = 4 * alone * heads;
  estimate.operations = 2 * tower.operations + layers * tokens * (2 * weights + 2.5 * attention) +
                        4 * width * targets * vocabulary;
  return estimate;
}

double fastest_seconds(const std::function<void()>& work) {
  constexpr int kCalls = 5;
  constexpr double kEnough = 0.2, kMost = 1.5;  // seconds
  using Clock = std::chrono::steady_clock;
  double fastest = std::numeric_limits<double>::infinity(), all = 0;
  for (int call = 0; all < kEnough || (call < kCalls && all < kMost); ++call) {
    const auto begin = Clock::now();
    work();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    fastest = std::min(fastest, seconds);
    all += seconds;
  }
  return fastest;
}

double operations_per_second(at::Device device, const std::string& dtype) {
  constexpr int64_t kTokens = 256, kWidth = 2048;
  if (device.is_meta()) device = at::kCPU;
  const at::NoGradGuard no_gradients;
  const at::ScalarType type = weight_dtype(dtype);
  const Linear layer(at::full({kWidth, kWidth}, 1e-3, at::TensorOptions(type).device(device)), {},
                     dtype == "autocast");
  const Tensor x = at::ones({kTokens, kWidth}, at::TensorOptions(compute_dtype(type, device)).device(device));
  const auto pass = [&] { return layer(x)[0][0].item<float>(); };  // waits for a GPU
  pass();
  return 2.0 * kTokens * kWidth * kWidth / fastest_seconds(pass);
}

}  // namespace hijack
