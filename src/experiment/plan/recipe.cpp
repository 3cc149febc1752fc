#include "src/experiment/plan/recipe.h"

#include "src/base/error.h"
#include "src/base/nearest.h"
#include "src/experiment/plan/shipped.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string needed_text(const json& content, const char* key, const std::string& where) {
  if (!content.contains(key) || !content[key].is_string())
    throw Error(where + ": a recipe names its `" + std::string(key) + "` as text.");
  return content[key].get<std::string>();
}

void check_keys(const json& content, const std::string& where) {
  const std::vector<std::string> known = {"title", "paper",    "departs", "columns", "attack",
                                          "grid",  "evaluate", "inside",  "probe",   "published"};
  for (const auto& [key, value] : content.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw Error(where + ": " + unknown_name("key of a recipe", key, known));
}

std::vector<Recipe::Published> published_rows(const json& content, const std::string& where) {
  std::vector<Recipe::Published> rows;
  const json list = content.value("published", json::array());
  if (!list.is_array()) throw Error(where + ": write [[published]] with two brackets, once for each row.");
  for (const json& row : list) {
    if (!row.is_object()) throw Error(where + ": write [[published]] with two brackets, once for each row.");
    rows.push_back({needed_text(row, "row", where), needed_text(row, "value", where)});
  }
  return rows;
}

bool has_behavior_columns(const json& content, const std::string& where) {
  if (!content.contains("columns")) return false;
  if (const std::string columns = needed_text(content, "columns", where); columns != "behavior")
    throw Error(where + ": " +
                unknown_name("kind of columns", columns, std::vector<std::string>{"behavior"}));
  if (content.contains("published"))
    throw Error(where + ": a table with a column for each behavior has none for published figures.");
  return true;
}

template <class Change>
void change_texts(json& table, const char* key, Change change) {
  if (!table.is_object() || !table.contains(key)) return;
  json& value = table[key];
  if (value.is_string()) value = change(value.get<std::string>());
  if (!value.is_array()) return;
  for (json& one : value)
    if (one.is_string()) one = change(one.get<std::string>());
}

/// A file that a recipe names: beside the recipe, or above its folder, or in the shipped data.
std::string found_file(const std::string& file, const fs::path& folder) {
  if (fs::path(file).is_absolute()) return file;
  for (const fs::path& root : {folder, folder / "..", shipped_data()})
    if (fs::exists(root / file)) return (root / file).lexically_normal().string();
  throw Error("the recipe names '" + file + "', which is neither beside it nor in the shipped data.");
}

/// Files of a table where they are, and models by their role.
void place(json& table, const fs::path& folder, const ModelChoice& choice) {
  const auto found = [&](const std::string& file) { return found_file(file, folder); };
  const auto role = [&](const std::string& name) {
    if (name == "first") return choice.model.empty() ? shipped_model().string() : choice.model;
    if (name == "second")
      return choice.second_model.empty() ? (shipped_data() / "pocket-2").string() : choice.second_model;
    if (is_named_model(name)) return name;
    throw Error(
        "recipes name models by their role, first or second, or by a short name (hijack models --list), not "
        "'" +
        name + "'.");
  };
  for (const char* key :
       {"image", "held_out_image", "contexts", "feature_image", "auxiliary_image", "mask", "targets"})
    change_texts(table, key, found);
  for (const char* key : {"model", "ensemble", "transfer", "surrogate", "transfer_encoder"})
    change_texts(table, key, role);
}

/// The user's settings in place of the recipe's.
void adapt(json& attack, const ModelChoice& choice) {
  if (!choice.model.empty()) attack["model"] = choice.model;
  attack["device"] = choice.device;
  attack["dtype"] = choice.dtype;
  attack["views"] = choice.views;
  attack["max_pixels"] = choice.max_pixels;
  if (!choice.vision_tower.empty()) attack["vision_tower"] = choice.vision_tower;
  if (!choice.adapter.empty()) attack["adapter"] = choice.adapter;
  attack["threads"] = choice.threads;
}

}  // namespace

fs::path shipped_recipes() {
  return shipped_data() / "recipes";
}

std::vector<std::string> recipe_names(const fs::path& folder) {
  return toml_names(folder, "recipes");
}

namespace {

/// A shipped recipe by its name, or any by its file.
fs::path recipe_file(const std::string& name, const fs::path& shipped) {
  if (fs::path(name).extension() == ".toml") {
    if (!fs::is_regular_file(name)) throw Error("There is no recipe file '" + name + "'.");
    return name;
  }
  const auto names = recipe_names(shipped);
  if (std::find(names.begin(), names.end(), name) == names.end())
    throw Error(unknown_name("recipe", name, names));
  return shipped / (name + ".toml");
}

}  // namespace

namespace {

std::vector<TrialPlan> plans_of(const json& content, const fs::path& file, const ModelChoice& choice) {
  const fs::path folder = file.parent_path();
  const std::string where = file.string();
  json attack = content.value("attack", json::object());
  if (!attack.is_object()) throw Error(where + ": a recipe has a table [attack].");
  place(attack, folder, choice);
  adapt(attack, choice);
  json experiment = {{"attack", attack}};
  if (content.contains("grid")) {
    experiment["grid"] = content["grid"];
    if (experiment["grid"].is_array())
      for (json& block : experiment["grid"]) place(block, folder, choice);
  }
  return plans_of_experiment(experiment, where);
}

/// A table of what is done after the trials, where there is one.
template <class Config>
std::optional<Config> part_of(const json& content, const char* key, const std::string& where) {
  if (!content.contains(key)) return {};
  Config config;
  set_fields(fields_of(config), content[key], where + " [" + key + "]");
  return config;
}

/// All of a recipe but its trials.
Recipe without_plans(const json& content, const fs::path& file) {
  const std::string where = file.string();
  check_keys(content, where);
  Recipe recipe{.name = file.stem().string(),
                .title = needed_text(content, "title", where),
                .paper = needed_text(content, "paper", where),
                .departs = needed_text(content, "departs", where),
                .published = published_rows(content, where),
                .behavior_columns = has_behavior_columns(content, where)};
  recipe.evaluate = part_of<EvaluateConfig>(content, "evaluate", where);
  recipe.inside = part_of<InsideConfig>(content, "inside", where);
  if (recipe.inside) check(*recipe.inside);
  recipe.probe = part_of<ProbeConfig>(content, "probe", where);
  if (recipe.probe) {
    check(*recipe.probe);
    recipe.probe->questions = found_file(recipe.probe->questions, file.parent_path());
  }
  return recipe;
}

}  // namespace

Recipe read_recipe(const std::string& name, const fs::path& shipped, const ModelChoice& choice) {
  const fs::path file = recipe_file(name, shipped);
  const json content = read_toml(file);
  Recipe recipe = without_plans(content, file);
  recipe.plans = plans_of(content, file, choice);
  return recipe;
}

Recipe describe_recipe(const std::string& name, const fs::path& shipped) {
  const fs::path file = recipe_file(name, shipped);
  const json content = read_toml(file);
  Recipe recipe = without_plans(content, file);
  try {
    recipe.plans = plans_of(content, file, {});
  } catch (const MissingModel& missing) {
    recipe.missing = missing.what();
  }
  return recipe;
}

}  // namespace hijack
