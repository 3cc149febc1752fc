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
  if (asks_nobody(config)) return 0;
  const auto train = static_cast<int64_t>(
      take(read_contexts(config.contexts), {config.train, config.validation, config.test}, config.contexts)
          .train.size());
  return config.batch > 0 ? std::min(config.batch, train) : train;
}

/// What is the same for all photos of a model: measured and read once.
struct OneModel {
  OneModel(const ImagePromptModel& of, const AttackConfig& config)
      : model(&of),
        dtype(dtype_of(config)),
        parameters(stored_weights(config.model).parameters),
        rate(operations_per_second(of.device(), dtype)) {}

  const ImagePromptModel* model;
  std::string dtype;
  int64_t parameters;
  double rate;  ///< operations per second
};

/// Fills in what a step costs, from the pixels of a photo.
void estimate(const OneModel& on, const Pixels& pixels, PhotoCost& cost) {
  const auto needed = estimate_memory(*on.model, pixels, on.parameters, on.dtype, cost.contexts);
  cost.seconds = needed.operations / on.rate;
  cost.bytes = needed.attack;
  cost.bytes_checkpointed = needed.attack_checkpointed;
}

}  // namespace

std::string PhotoCost::sentence() const {
  return photo + ": " + std::to_string(width) + "x" + std::to_string(height) + " pixels, " +
         std::to_string(tokens) + " image tokens; a step with " + std::to_string(contexts) +
         (contexts == 1 ? " context" : " contexts") + " takes about " + time_text(seconds) +
         " where nothing else runs, and " + size_text(bytes) + " of memory (" +
         size_text(bytes_checkpointed) + " with --activation-checkpointing on)";
}

std::vector<PhotoCost> photo_costs(
    const std::vector<TrialPlan>& plans,
    const std::function<std::shared_ptr<const VisionLanguageModel>(const AttackConfig&)>& models) {
  const at::NoGradGuard no_gradients;
  std::vector<PhotoCost> costs;
  std::set<std::string> photos, sizes;
  std::map<std::string, OneModel> measured;
  std::map<std::string, int64_t> contexts;
  for (const TrialPlan& plan : plans) {
    const AttackConfig& config = plan.config;
    if (config.method != "image" && config.method != "joint") continue;
    const auto loaded = models(config);
    const auto* model = dynamic_cast<const ImagePromptModel*>(loaded.get());
    if (model == nullptr) continue;
    const std::string key = model_key(config);
    std::string drawn = config.contexts;
    for (const int64_t number : {config.train, config.validation, config.test, config.batch})
      drawn += "\n" + std::to_string(number);
    const auto [known, first] = contexts.try_emplace(drawn);
    if (first) known->second = contexts_of_step(config);
    for (const std::string& photo : config.images) {
      if (!photos.insert(key + config.space + "\n" + photo).second) continue;
      const Tensor image = in_attack_space(*model, config, photo).to(model->device());
      const Pixels pixels = model->preprocess(image);
      PhotoCost cost{.photo = std::filesystem::path(photo).filename().string(),
                     .width = image.size(3),
                     .height = image.size(2),
                     .tokens = model->image_tokens(pixels),
                     .contexts = known->second};
      std::string size = key;
      for (const int64_t number : {cost.width, cost.height, cost.tokens, cost.contexts})
        size += " " + std::to_string(number);
      if (!sizes.insert(size).second) continue;
      estimate(measured.try_emplace(key, *model, config).first->second, pixels, cost);
      costs.push_back(std::move(cost));
    }
  }
  return costs;
}

}  // namespace hijack
