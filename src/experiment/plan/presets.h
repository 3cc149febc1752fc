#pragma once
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "src/experiment/plan/config.h"

namespace hijack {

/// A published attack as a point of the grid: a TOML file in samples/presets with `paper`, `departs` (how the
/// preset differs from the paper) and an [attack] table of attack fields. A new preset is a new file.
struct Preset {
  std::string name;  ///< of the file, without .toml
  std::string paper;
  std::string departs;
};

/// The presets of a folder, by name. Throws Error for a file that is no preset.
std::vector<Preset> list_presets(const std::filesystem::path& folder);

/// The folder of the shipped ones: shipped_data()/presets.
std::filesystem::path shipped_presets();

/// Sets the fields of the preset and returns their names. Throws Error for an unknown name (naming the
/// nearest) and unknown fields.
std::set<std::string> apply_preset(const std::string& name, const std::filesystem::path& folder,
                                   AttackConfig& config);

}  // namespace hijack
