#include "src/experiment/run/explain.h"

#include "models/not_finite.h"
#include "src/experiment/plan/machine.h"

namespace hijack {

void explain(const NotFinite& found, const AttackConfig& config) {
  std::vector<std::filesystem::path> folders = {config.model};
  if (!config.vision_tower.empty()) folders.emplace_back(config.vision_tower);
  for (const auto* others : {&config.ensemble, &config.transfer})
    folders.insert(folders.end(), others->begin(), others->end());
  explain(found, folders, load_options(config, config.model));
}

}  // namespace hijack
