#include "src/experiment/run/photo_cost.h"

#include <cmath>
#include <filesystem>

#include "models/checkpoint/stored_weights.h"
#include "models/families/memory_estimate.h"
#include "models/load_model.h"
#include "src/base/image.h"
#include "src/experiment/plan/dataset.h"
#include "src/experiment/plan/machine.h"
#include "src/experiment/run/attack_space.h"

namespace hijack {
namespace {

std::string size_text(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, bytes < 1e9 ? "%.0f MB" : "%.1f GB", bytes / (bytes < 1e9 ? 1e6 : 1e9));
  return text;
}

std::string time_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, seconds < 1 ? "%.2f s" : seconds < 10 ? "%.1f s" : "%.0f s", seconds);
  return text;
}

int64_t contexts_of_step(const AttackConfig& config) {
  const auto train = static_cast<int64_t>(
      take(read_contexts(config.contexts), {config.train, config.validation, config.test}, config.contexts)
          .train.size());
  return config.batch > 0 ? std::min(config.batch, train) : train;
}

PhotoCost cost_of(const ImagePromptModel& model, const AttackConfig& config, const std::string& photo) {
  const at::NoGradGuard no_gradients;
  const Tensor image = in_attack_space(model, config, photo).to(model.device());
  const Pixels pixels = model.preprocess(image);
  const auto dtype = computed_dtype(load_options(config, config.model));
  PhotoCost cost{.photo = std::filesystem::path(photo).filename().string(),
                 .width = image.size(3),
                 .height = image.size(2),
                 .tokens = model.image_tokens(pixels),
                 .contexts = contexts_of_step(config)};
  const auto estimate =
      estimate_memory(model, pixels, stored_weights(config.model).parameters, dtype, cost.contexts);
  cost.seconds = estimate.operations / operations_per_second(model.device(), dtype);
  cost.bytes = estimate.attack;
  cost.bytes_checkpointed = estimate.attack_checkpointed;
  return cost;
}

}  // namespace

std::string PhotoCost::sentence() const {
  return photo + ": " + std::to_string(width) + "x" + std::to_string(height) + " pixels, " +
         std::to_string(tokens) + " image tokens; a step with " + std::to_string(contexts) +
         (contexts == 1 ? " context" : " contexts") + " takes about " + time_text(seconds) + " and " +
         size_text(bytes) + " of memory (" + size_text(bytes_checkpointed) +
         " with --activation-checkpointing on)";
}

std::vector<PhotoCost> photo_costs(
    const std::vector<TrialPlan>& plans,
    const std::function<std::shared_ptr<const VisionLanguageModel>(const AttackConfig&)>& models) {
  std::vector<PhotoCost> costs;
  std::set<std::string> known;
  for (const TrialPlan& plan : plans) {
    const AttackConfig& config = plan.config;
    if (config.method != "image" && config.method != "joint") continue;
    for (const std::string& photo : config.images) {
      if (!known.insert(model_key(config) + config.space + "\n" + photo).second) continue;
      const auto loaded = models(config);
      const auto* model = dynamic_cast<const ImagePromptModel*>(loaded.get());
      if (model == nullptr) continue;
      PhotoCost cost = cost_of(*model, config, photo);
      const bool same = std::any_of(costs.begin(), costs.end(), [&](const PhotoCost& other) {
        return other.width == cost.width && other.height == cost.height && other.tokens == cost.tokens &&
               other.contexts == cost.contexts;
      });
      if (!same) costs.push_back(std::move(cost));
    }
  }
  return costs;
}

}  // namespace hijack
