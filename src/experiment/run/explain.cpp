#include "src/experiment/run/explain.h"

#include "models/not_finite.h"
#include "src/experiment/plan/machine.h"

namespace hijack {

void explain(const NotFinite& found, const AttackConfig& config) {
  std::vector<std::filesystem::path> folders;
  AttackConfig named = config;
  for_each_model(named, [&](const std::string& folder) { folders.emplace_back(folder); });
  explain(found, folders, load_options(config, config.model));
}

}  // namespace hijack
