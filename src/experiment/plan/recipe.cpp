#include "src/experiment/plan/recipe.h"

#include "src/base/error.h"
#include "src/base/nearest.h"
#include "src/experiment/plan/shipped.h"
#include "src/experiment/report/aggregate.h"
#include "src/experiment/report/text.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using report::shown;

using Table = std::vector<std::vector<std::string>>;

std::string text_of(const json& content, const char* key, const std::string& where) {
  if (!content.contains(key) || !content[key].is_string())
    throw Error(where + ": a recipe names its `" + std::string(key) + "` as text.");
  return content[key].get<std::string>();
}

void check_keys(const json& content, const std::string& where) {
  const std::vector<std::string> known = {"title",  "paper", "departs",  "columns",
                                          "attack", "grid",  "evaluate", "published"};
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
    rows.push_back({text_of(row, "row", where), text_of(row, "value", where)});
  }
  return rows;
}

bool has_behavior_columns(const json& content, const std::string& where) {
  if (!content.contains("columns")) return false;
  if (const std::string columns = text_of(content, "columns", where); columns != "behavior")
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
    throw Error("recipes name models by their role, first or second, not '" + name + "'.");
  };
  for (const char* key : {"image", "contexts", "feature_image", "mask", "targets"})
    change_texts(table, key, found);
  for (const char* key : {"model", "ensemble", "transfer"}) change_texts(table, key, role);
}

/// The user's settings in place of the recipe's.
void adapt(json& attack, const ModelChoice& choice) {
  if (!choice.model.empty()) attack["model"] = choice.model;
  attack["device"] = choice.device;
  attack["dtype"] = choice.dtype;
  attack["views"] = choice.views;
  attack["threads"] = choice.threads;
}

std::string published_value(const Recipe& recipe, const std::string& row, std::set<std::string>& used) {
  for (const auto& one : recipe.published)
    if (one.row == row) {
      used.insert(row);
      return one.value;
    }
  return "–";
}

bool several(const std::vector<report::Setting>& all, std::string report::Setting::*column) {
  return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.*column != all[0].*column; });
}

Table settings_rows(const Recipe& recipe, const std::vector<report::Setting>& settings,
                    std::set<std::string>& used) {
  Table table = {{"setting", "attack", "seeds", "clean image", "random noise", "published"}};
  const auto names = report::difference_names(settings);
  const bool models = several(settings, &report::Setting::model),
             optimizers = several(settings, &report::Setting::optimizer);
  table[0].insert(table[0].begin() + 1, names.begin(), names.end());
  for (const report::Setting& setting : settings) {
    const std::string key = setting.behavior + ", " + report::short_constraint(setting.constraint);
    std::vector<std::string> row = {key + (optimizers ? ", " + setting.optimizer : "") +
                                    (models ? ", " + setting.model : "")};
    for (const report::Difference& one : setting.differences) row.push_back(one.value);
    row.insert(row.end(), {shown(setting.success, "test"), std::to_string(setting.seed_rates.size()),
                           shown(setting.controls, "clean"), shown(setting.controls, "noise"),
                           published_value(recipe, key, used)});
    table.push_back(std::move(row));
  }
  return table;
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

/// What the settings of a row share: the constraint, the optimizer where it is not the recipe's first, what
/// tells settings of one behavior apart, and of several models the name.
std::string row_name(const report::Setting& setting, const Recipe& recipe, bool models) {
  const bool usual = setting.optimizer == recipe.plans.front().config.optimizer.name;
  return report::short_constraint(setting.constraint) + (usual ? "" : ", " + setting.optimizer) +
         report::needed_label(setting) + (models ? ", " + setting.model : "");
}

/// Success, and that of the noise control where it has any.
std::string beside_noise(const report::Setting& setting) {
  const report::Rate noise = report::exact_of(setting.controls, "noise");
  const std::string success = shown(setting.success, "test");
  return noise.successes ? success + ", noise " + report::percent(noise.value()) : success;
}

/// A row for each constraint, a column for each behavior; at the end the clean image, which is the same in
/// all rows and is shown for one of them.
Table behavior_columns(const Recipe& recipe, const std::vector<report::Setting>& settings) {
  std::vector<std::string> behaviors, rows;
  for (const TrialPlan& plan : recipe.plans) add_once(behaviors, plan.config.behavior.name);
  const bool models = several(settings, &report::Setting::model);
  for (const report::Setting& setting : settings) add_once(rows, row_name(setting, recipe, models));
  Table table(rows.size() + 2);
  table[0] = {"constraint"};
  for (size_t row = 0; row < rows.size(); ++row) table[row + 1] = {rows[row]};
  table.back() = {"clean image"};
  std::vector<std::vector<double>> seconds(rows.size());
  for (const std::string& behavior : behaviors) {
    table[0].push_back(behavior);
    for (auto& row : table)
      if (row.size() < table[0].size()) row.push_back("–");
    for (const report::Setting& setting : settings) {
      if (setting.behavior != behavior) continue;
      const auto found = std::find(rows.begin(), rows.end(), row_name(setting, recipe, models));
      const auto row = static_cast<size_t>(found - rows.begin());
      table[row + 1].back() = beside_noise(setting);
      seconds[row].push_back(setting.seconds_per_step);
      table.back().back() = shown(setting.controls, "clean");
    }
  }
  table[0].push_back("s/step");
  for (size_t row = 0; row < rows.size(); ++row)
    table[row + 1].push_back(report::decimal(median(seconds[row])));
  table.back().push_back("–");
  return table;
}

/// The published rows are "single model" and "ensemble": what images do on models they were not made with.
Table transfer_rows(const Recipe& recipe, const std::vector<report::Setting>& settings,
                    std::set<std::string>& used) {
  Table table = {
      {"optimized on", "shown to", "setting", "attack", "clean image", "random noise", "published"}};
  for (const report::Transfer& one : report::transfers(settings)) {
    const bool several = one.setting->model.find(" + ") != std::string::npos;
    table.push_back(
        {one.setting->model, one.model, one.setting->behavior + ", " + report::setting_label(*one.setting),
         shown(one.attack), shown(one.clean), shown(one.noise),
         one.optimized ? "–" : published_value(recipe, several ? "ensemble" : "single model", used)});
  }
  return table;
}

Table defense_rows(const Recipe& recipe, const RunRecord& run, std::set<std::string>& used) {
  Table table = {{"defense", "image, static", "image, adaptive", "suffix, static", "suffix, adaptive",
                  "benign correct", "harmless refused", "s/query", "published"}};
  const std::vector<report::DefenseSummary> all = report::defenses({run});
  const bool several = report::several_attacks(all);
  if (several) table[0].insert(table[0].begin() + 1, "attack");
  for (const report::DefenseSummary& one : all) {
    table.push_back({report::defense_label(one), shown(one.attack), shown(one.adaptive),
                     shown(one.text_suffix), shown(one.text_adaptive), shown(one.benign_correct),
                     shown(one.benign_rejected), report::decimal(one.seconds_per_reply),
                     published_value(recipe, one.defense, used)});
    if (several) table.back().insert(table.back().begin() + 1, one.attack_label);
  }
  return table;
}

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += " " + report::markdown(cell) + " |";
  return line + "\n";
}

}  // namespace

fs::path shipped_recipes() {
  return shipped_data() / "recipes";
}

std::vector<std::string> recipe_names(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw Error("there is no folder of recipes '" + folder.string() + "'.");
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
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

Recipe read_recipe(const std::string& name, const fs::path& shipped, const ModelChoice& choice) {
  const fs::path file = recipe_file(name, shipped);
  const fs::path folder = file.parent_path();
  const std::string where = file.string();
  json content = read_toml(file);
  check_keys(content, where);
  Recipe recipe{file.stem().string(),
                text_of(content, "title", where),
                text_of(content, "paper", where),
                text_of(content, "departs", where),
                {},
                {},
                published_rows(content, where),
                has_behavior_columns(content, where)};
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
  recipe.plans = plans_of_experiment(experiment, where);
  if (content.contains("evaluate")) {
    EvaluateConfig evaluate;
    set_fields(fields_of(evaluate), content["evaluate"], where + " [evaluate]");
    recipe.evaluate = evaluate;
  }
  return recipe;
}

std::vector<Table> recipe_tables(const Recipe& recipe, const RunRecord& run) {
  const std::vector<RunRecord> runs = {run};
  const std::vector<report::Setting> settings = report::bare_settings(runs);
  const bool transferred =
      std::any_of(settings.begin(), settings.end(), [](const auto& one) { return !one.transfer.empty(); });
  std::set<std::string> used;
  std::vector<Table> tables;
  if (transferred)
    tables.push_back(transfer_rows(recipe, settings, used));
  else if (recipe.behavior_columns)
    tables.push_back(behavior_columns(recipe, settings));
  else if (!recipe.evaluate || settings.size() > 1)
    tables.push_back(settings_rows(recipe, settings, used));
  if (recipe.evaluate) tables.push_back(defense_rows(recipe, run, used));
  Table& last = tables.back();
  for (const auto& one : recipe.published) {
    if (used.contains(one.row)) continue;
    std::vector<std::string> row(last.front().size(), "–");
    row.front() = one.row;
    row.back() = one.value;
    last.push_back(std::move(row));
  }
  return tables;
}

std::string recipe_markdown(const Recipe& recipe, const RunRecord& run) {
  std::string out;
  for (const Table& table : recipe_tables(recipe, run)) {
    out += markdown_row(table.front()) + markdown_row(std::vector(table.front().size(), std::string("---")));
    for (size_t i = 1; i < table.size(); ++i) out += markdown_row(table[i]);
    out += "\n";
  }
  return out + recipe.title + ". Published: " + recipe.paper + ". What differs: " + recipe.departs + "\n";
}

}  // namespace hijack
