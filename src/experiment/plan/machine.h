#pragma once
#include <memory>
#include <optional>
#include <string>

#include "attacks/ranks.h"
#include "models/load_model.h"
#include "src/experiment/plan/config.h"

namespace hijack {

/// Where and how the work of a run is done this time, whatever its configuration says: nothing here belongs
/// to what a number is (identity.h), so a run may go on elsewhere.
struct Machine {
  std::string device;                       ///< "" = the configuration's
  std::optional<int64_t> threads;           ///< 0 = all cores; nullopt = the configuration's
  std::string image_batch = {};             ///< "" = the configuration's
  std::optional<AskingConfig> asking = {};  ///< of a victim behind an API; nullopt = the configuration's
  std::filesystem::path run = {};           ///< where calls to it are counted; empty = nowhere
  std::stop_token stop = {};                ///< ends the asking
  /// The processes that make the image of each trial together: they divide the contexts, and rank 0 writes.
  /// None: this process alone.
  std::shared_ptr<Ranks> ranks = {};

  /// Puts these settings into a config. The type of the weights stays what it was: `auto` means another one
  /// on another device.
  void put_into(AttackConfig& config) const;
};

/// What the config's dtype stands for (models/dtype.h), also where its device or its model is not here; a
/// model that is not here is taken for one that is stored in bfloat16.
std::string dtype_of(const AttackConfig& config);

/// How a config has a model of its loaded; folder: `model`, or one of ensemble and transfer.
LoadOptions load_options(const AttackConfig& config, const std::string& folder);
/// All that tells how `model` is loaded, as a key.
std::string model_key(const AttackConfig& config);

/// Computes with the CPU threads and the image batch of a config from here on.
void use_threads(const AttackConfig& config);

}  // namespace hijack
