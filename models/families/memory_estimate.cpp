#include "models/families/memory_estimate.h"

#include <c10/core/ScalarType.h>

namespace hijack {
namespace {

constexpr int64_t kTarget = 16, kReply = 48;

}  // namespace

MemoryEstimate estimate_memory(const ImagePromptModel& model, const Pixels& pixels, int64_t parameters,
                               at::ScalarType dtype) {
  const DecoderConfig& config = model.decoder().config();
  const auto size = static_cast<double>(c10::elementSize(dtype));
  const auto prompt = model.input_ids(pixels, {.prompt = "What is in this picture?"}).size();
  const double tokens = static_cast<double>(prompt) + kTarget, layers = static_cast<double>(config.layers);
  const double width = static_cast<double>(config.width), mlp = static_cast<double>(config.mlp_width);
  const auto heads = static_cast<double>(config.heads * config.head_dim);
  const auto keys = static_cast<double>(config.kv_heads * config.head_dim);
  const auto vocabulary = static_cast<double>(config.vocabulary);
  const double block = tokens * (2 * (width + heads + keys + mlp)), in_flight = 3 * tokens * mlp;
  const auto tower = model.tower_activations(pixels);

  MemoryEstimate estimate;
  estimate.weights = static_cast<double>(parameters) * size;
  const double fixed = estimate.weights + size * in_flight + 12 * kTarget * vocabulary;
  estimate.attack = fixed + size * (static_cast<double>(tower.all) + layers * block);
  estimate.attack_checkpointed = fixed + size * (static_cast<double>(tower.inputs) + layers * tokens * width +
                                                 std::max(static_cast<double>(tower.block), block));
  estimate.chat =
      estimate.weights + size * (2 * layers * (tokens + kReply) * keys + in_flight) + 4 * vocabulary;
  return estimate;
}

}  // namespace hijack
