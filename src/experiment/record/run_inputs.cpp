#include "src/experiment/record/run_inputs.h"

#include "models/chat_template/template_file.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/text.h"
#include "src/experiment/plan/shipped.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view kShipped = "shipped:";
constexpr std::string_view kMade = "made:";  // of models that have a short name, and had to be made
constexpr int64_t kLargestInput = int64_t{256} << 20;

/// "pocket" of ".../samples/pocket"; "" for what lies outside the shipped data.
std::string shipped_name(const fs::path& path) {
  try {
    const fs::path inside =
        fs::weakly_canonical(path).lexically_relative(fs::weakly_canonical(shipped_data()));
    return inside.empty() || inside.begin()->string() == ".." ? "" : inside.generic_string();
  } catch (const Error&) {  // an installation without data
    return "";
  }
}

/// "smollm2" of its folder; "" for others.
std::string made_name(const fs::path& folder) {
  try {
    return name_of_made_model(folder);
  } catch (const Error&) {  // an installation without data
    return "";
  }
}

/// How a file of the user is called where others read it.
std::string name_of(const std::string& file) {
  const std::string shipped = shipped_name(file);
  return shipped.empty() ? file : std::string(kShipped) + shipped;
}

std::string portable_folder(const std::string& folder) {
  const std::string shipped = shipped_name(folder);
  if (!shipped.empty()) return std::string(kShipped) + shipped;
  const std::string made = made_name(folder);
  return made.empty() ? fs::absolute(folder).lexically_normal().string() : std::string(kMade) + made;
}

std::string located_folder(const std::string& portable) {
  if (portable.starts_with(kMade)) return model_folder(portable.substr(kMade.size())).string();
  if (!portable.starts_with(kShipped)) return portable;
  const fs::path inside = portable.substr(kShipped.size());
  if (inside.is_absolute() || std::find(inside.begin(), inside.end(), "..") != inside.end())
    throw Error("the manifest names a shipped model '" + portable + "' outside the shipped data.");
  return (shipped_data() / inside).string();
}

/// The end of a file's name, as part of another.
std::string kept_name(const std::string& name) {
  constexpr size_t kLongest = 60;
  const std::string plain = plain_name(name, "_.");
  return plain.size() > kLongest ? plain.substr(plain.size() - kLongest) : plain;
}

std::string recorded_text(const json& object, const char* key, const std::string& where) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_string())
    throw Error(where + ": '" + key + "' is missing; the manifest is damaged or of another version.");
  return object[key].get<std::string>();
}

/// Throws Error that names the file of a model that is not what it was.
void check_model(const std::string& folder, const json& recorded) {
  if (!fs::is_directory(folder))
    throw Error("The model folder '" + folder +
                "' of this run is missing; say where the model is now: --model DIR.");
  const auto now = model_files(folder);
  const json before = recorded.value("files", json::object());
  for (const auto& [name, hash] : before.items())
    if (const auto found = now.find(name); found == now.end() || json(found->second) != hash)
      throw Error("'" + (fs::path(folder) / name).string() +
                  "' is not what it was when the run began; put the old file back, give --model DIR, or "
                  "begin a new run.");
  for (const auto& [name, hash] : now)
    if (!before.contains(name))
      throw Error("'" + (fs::path(folder) / name).string() +
                  "' was not there when the run began; take it away, or begin a new run.");
}

}  // namespace

void RunInputs::add_file(const std::string& file) {
  if (portable_.contains(file)) return;
  const std::string hash = file_hash(file);
  const std::string name =
      "inputs/" + hash.substr(0, 8) + "-" + kept_name(fs::path(file).filename().string());
  files_[name] = {{"sha256", hash}, {"bytes", fs::file_size(file)}, {"name", name_of(file)}};
  portable_[file] = name;
  located_[name] = file;
}

void RunInputs::add_model(const std::string& folder) {
  if (portable_.contains(folder)) return;
  const std::string hash = model_hash(folder);
  if (models_.contains(hash)) {  // a copy of a model that is known: the same one
    portable_[folder] = models_[hash]["folder"].get<std::string>();
    return;
  }
  models_[hash] = model_entry(folder);
  const auto portable = models_[hash]["folder"].get<std::string>();
  portable_[folder] = portable;
  located_[portable] = folder;
}

json RunInputs::model_entry(const std::string& folder) {
  const std::string own = chat_template(folder).file;
  return {{"folder", portable_folder(folder)},
          {"name", model_name(folder)},
          {"chat_template", own.empty() ? "none in the folder" : own},
          {"files", model_files(folder)}};
}

RunInputs RunInputs::of_plans(const std::vector<TrialPlan>& plans) {
  RunInputs inputs;
  for (const TrialPlan& plan : plans) {
    AttackConfig config = plan.config;
    for_each_file(config, [&](const std::string& file) { inputs.add_file(file); });
    for_each_model(config, [&](const std::string& folder) { inputs.add_model(folder); });
  }
  return inputs;
}

RunInputs RunInputs::of_run(const fs::path& folder, const json& manifest,
                            const std::vector<std::string>& moved) {
  const std::string where = (folder / "manifest.json").string();
  if (!manifest.contains("models") || !manifest.contains("inputs") || !manifest["models"].is_object() ||
      !manifest["inputs"].is_object())
    throw Error(
        where +
        " was written by an older version, which did not keep what a run is made from; run it again.");
  RunInputs inputs;
  inputs.files_ = manifest["inputs"];
  inputs.models_ = manifest["models"];
  inputs.find_files(folder, where);
  inputs.find_models(moved, where);
  return inputs;
}

void RunInputs::find_files(const fs::path& folder, const std::string& where) {
  for (const auto& [name, recorded] : files_.items()) {
    const fs::path inside = name;
    if (inside.is_absolute() || std::find(inside.begin(), inside.end(), "..") != inside.end())
      throw Error(where + ": the input '" + name + "' lies outside the run folder.");
    const std::string file = (folder / inside).string();
    if (!fs::is_regular_file(file)) throw Error("'" + file + "', which the run was made from, is missing.");
    if (file_hash(file) != recorded_text(recorded, "sha256", where))
      throw Error("'" + file +
                  "' is not what it was when the run began; put the old file back, or begin a new run.");
    portable_[file] = name;
    located_[name] = file;
    names_[file] = recorded_text(recorded, "name", where);
  }
}

void RunInputs::find_models(const std::vector<std::string>& moved, const std::string& where) {
  std::map<std::string, std::string> at;  // hash: folder
  for (const std::string& given : moved) {
    const std::string folder = model_folder(given).string(), hash = model_hash(folder);
    if (!models_.contains(hash))
      throw Error("'" + given +
                  "' is not a model of this run: its files differ from those that the run used.");
    at[hash] = folder;
  }
  for (const auto& [hash, recorded] : models_.items()) {
    const std::string portable = recorded_text(recorded, "folder", where);
    const std::string located = at.contains(hash) ? at[hash] : located_folder(portable);
    check_model(located, recorded);
    portable_[located] = portable;
    located_[portable] = located;
    names_[located] = recorded_text(recorded, "name", where);
  }
}

void RunInputs::copy_into(const fs::path& folder) const {
  for (const auto& [name, recorded] : files_.items()) {
    const std::string bytes = read_file(located_.at(name), kLargestInput);
    fs::create_directories((folder / name).parent_path());
    write_file(folder / name, bytes);
    if (file_hash(folder / name) != recorded["sha256"].get<std::string>())
      throw Error("'" + located_.at(name) + "' changed while the run began; begin it again.");
  }
}

json RunInputs::to_json(const TrialPlan& plan) const {
  AttackConfig config = plan.config;
  const auto rename = [&](std::string& path) { path = portable_.at(path); };
  for_each_file(config, rename);
  for_each_model(config, [&](std::string& folder) {
    const auto known = portable_.find(folder);  // none: of a defense that `evaluate` was given
    folder = known == portable_.end() ? portable_folder(folder) : known->second;
  });
  return {{"id", plan.id},
          {"config", fields_to_json(fields_of(config))},
          {"setting_digest", plan.identity.setting_digest},
          {"trial_digest", plan.identity.trial_digest}};
}

TrialPlan RunInputs::plan(const json& item, const std::string& where) const {
  TrialPlan plan = plan_from_json(item, where);
  const auto locate = [&](std::string& path) {
    const auto found = located_.find(path);
    if (found == located_.end())
      throw Error(where + " plan " + plan.id + ": '" + path + "' is not among the inputs of the run.");
    path = found->second;
  };
  for_each_file(plan.config, locate);
  for_each_model(plan.config, locate);
  plan.names = names_;
  plan.identity = identity_of(plan.config);
  if (plan.identity.setting_digest != recorded_text(item, "setting_digest", where) ||
      plan.identity.trial_digest != recorded_text(item, "trial_digest", where))
    throw Error(where + " plan " + plan.id +
                ": the settings are not those that the run began with (their digest differs); put the old "
                "manifest back, or begin a new run.");
  return plan;
}

json RunInputs::to_json(const std::vector<TrialPlan>& plans) const {
  json list = json::array();
  for (const TrialPlan& plan : plans) list.push_back(to_json(plan));
  return list;
}

std::vector<TrialPlan> RunInputs::plans(const json& list, const std::string& where) const {
  std::vector<TrialPlan> plans;
  if (!list.is_array() || list.empty()) throw Error(where + ": 'plans' must be a list of trials.");
  for (const json& item : list) plans.push_back(plan(item, where));
  return plans;
}

}  // namespace hijack
