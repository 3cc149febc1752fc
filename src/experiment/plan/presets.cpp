#include "src/experiment/plan/presets.h"

#include "src/base/error.h"
#include "src/base/nearest.h"
#include "src/experiment/plan/shipped.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct File {
  Preset preset;
  json attack;
};

File read_preset(const fs::path& folder, const std::string& name) {
  const fs::path file = folder / (name + ".toml");
  json content = read_toml(file);
  const std::vector<std::string> known = {"paper", "departs", "attack"};
  for (const auto& [key, value] : content.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw Error(file.string() + ": " + unknown_name("key of a preset", key, known));
  for (const char* key : {"paper", "departs"})
    if (!content.contains(key) || !content[key].is_string())
      throw Error(file.string() + ": a preset names its `" + key + "` as text.");
  if (!content.contains("attack") || !content["attack"].is_object())
    throw Error(file.string() + ": a preset has a table [attack].");
  return {{name, content["paper"].get<std::string>(), content["departs"].get<std::string>()},
          content["attack"]};
}

}  // namespace

std::vector<Preset> list_presets(const fs::path& folder) {
  std::vector<Preset> presets;
  for (const std::string& name : toml_names(folder, "presets"))
    presets.push_back(read_preset(folder, name).preset);
  return presets;
}

fs::path shipped_presets() {
  return shipped_data() / "presets";
}

std::set<std::string> apply_preset(const std::string& name, const fs::path& folder, AttackConfig& config) {
  const auto names = toml_names(folder, "presets");
  if (std::find(names.begin(), names.end(), name) == names.end())
    throw Error(unknown_name("preset", name, names));
  const auto given = set_fields(fields_of(config), read_preset(folder, name).attack,
                                (folder / (name + ".toml")).string() + " [attack]");
  // the files of a preset lie beside it in the shipped data
  for (const auto& [field, file] :
       {std::pair{"feature_image", &config.objective.feature_image}, {"targets", &config.behavior.targets}})
    if (given.contains(field) && fs::path(*file).is_relative())
      *file = (folder.parent_path() / *file).string();
  if (given.contains("auxiliary_image"))
    for (std::string& file : config.surrogate.auxiliary_images)
      if (fs::path(file).is_relative()) file = (folder.parent_path() / file).string();
  return given;
}

}  // namespace hijack
