#include "src/experiment/run/other_models.h"

#include "src/experiment/plan/identity.h"
#include "src/experiment/plan/machine.h"

namespace hijack {
namespace {

/// By content: a folder whose files have changed is another model.
std::string loaded_key(const std::string& folder, const AttackConfig& config) {
  const LoadOptions options = load_options(config, folder);
  std::string key = model_hash(folder);
  for (const std::string& part :
       {options.device, options.dtype, options.views, std::to_string(options.max_pixels),
        options.vision_tower.string(), options.adapter.string()})
    key += "\n" + part;
  return key;
}

}  // namespace

void OtherModels::keep(const AttackConfig& config) {
  std::set<std::string> named;
  for (const auto* folders :
       {&config.ensemble, &config.transfer, &config.surrogate.folders, &config.surrogate.held_out})
    for (const std::string& folder : *folders) named.insert(loaded_key(folder, config));
  std::erase_if(loaded_, [&](const auto& one) { return !named.contains(one.first); });
}

std::shared_ptr<const VisionLanguageModel> OtherModels::of(const std::string& folder,
                                                           const AttackConfig& config) {
  auto& model = loaded_[loaded_key(folder, config)];
  if (!model) model = load_model(folder, load_options(config, folder));
  return model;
}

}  // namespace hijack
