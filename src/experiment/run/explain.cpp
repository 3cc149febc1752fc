#include "src/experiment/run/explain.h"

#include "models/not_finite.h"

namespace hijack {

void explain(const NotFinite& found, const AttackConfig& config) {
  std::vector<std::filesystem::path> folders = {config.model};
  for (const auto* others : {&config.ensemble, &config.transfer})
    folders.insert(folders.end(), others->begin(), others->end());
  explain(found, folders, {config.device, config.dtype, config.views});
}

}  // namespace hijack
