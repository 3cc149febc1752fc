#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/experiment/plan/config.h"

namespace hijack {

/// The models of a run's trials beside the attacked one: of ensembles, those that images are shown to, and
/// image encoders.
/// Each is loaded once for as long as one trial after the other names it.
class OtherModels {
 public:
  /// To be called once a trial, before `of`: lets go of what its config does not name.
  void keep(const AttackConfig& config);
  /// The model of a folder, loaded as the config has it loaded. Throws Error as load_model does.
  std::shared_ptr<const VisionLanguageModel> of(const std::string& folder, const AttackConfig& config);

 private:
  std::map<std::string, std::shared_ptr<const VisionLanguageModel>> loaded_;
};

}  // namespace hijack
