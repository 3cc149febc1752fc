#include "src/experiment/recipe.h"

#include "src/base/error.h"
#include "src/base/nearest.h"
#include "src/experiment/report/aggregate.h"
#include "src/experiment/report/text.h"
#include "src/experiment/shipped.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using report::Rate;

using Table = std::vector<std::vector<std::string>>;

std::string text_of(const json& content, const char* key, const std::string& where) {
  if (!content.contains(key) || !content[key].is_string())
    throw Error(where + ": a recipe names its `" + std::string(key) + "` as text.");
  return content[key].get<std::string>();
}

void check_keys(const json& content, const std::string& where) {
  const std::vector<std::string> known = {"title", "paper",    "departs",  "attack",
                                          "grid",  "evaluate", "published"};
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

/// The user's model in place of the shipped one, and pictures from the shipped data.
void adapt(json& attack, const fs::path& folder, const ModelChoice& choice) {
  if (attack.contains("image") && attack["image"].is_string()) {
    const fs::path image = attack["image"].get<std::string>();
    if (image.is_relative()) attack["image"] = (folder.parent_path() / image).string();
  }
  if (!choice.model.empty()) attack["model"] = choice.model;
  attack["device"] = choice.device;
  attack["dtype"] = choice.dtype;
  attack["views"] = choice.views;
  attack["threads"] = choice.threads;
}

/// "98% (90–99%)"
std::string shown(const Rate& rate) {
  return rate.n ? report::percent(rate.value()) + " (" + report::percent(rate.interval()) + ")" : "–";
}

Rate test_rate(const report::Tallies& tallies, const char* name) {
  const auto found = tallies.find(name);
  return found == tallies.end() ? Rate{} : Rate{found->second.exact, found->second.n};
}

std::string published_value(const Recipe& recipe, const std::string& row, std::set<std::string>& used) {
  for (const auto& one : recipe.published)
    if (one.row == row) {
      used.insert(row);
      return one.value;
    }
  return "–";
}

Table settings_rows(const Recipe& recipe, const RunRecord& run, std::set<std::string>& used) {
  Table table = {{"setting", "attack", "seeds", "clean image", "random noise", "published"}};
  for (const report::Setting& setting : report::bare_settings({run})) {
    const std::string key = setting.behavior + ", " + report::short_constraint(setting.constraint);
    table.push_back({key, shown(test_rate(setting.success, "test")),
                     std::to_string(setting.seed_rates.size()), shown(test_rate(setting.controls, "clean")),
                     shown(test_rate(setting.controls, "noise")), published_value(recipe, key, used)});
  }
  return table;
}

Table defense_rows(const Recipe& recipe, const RunRecord& run, std::set<std::string>& used) {
  Table table = {{"defense", "image, static", "image, adaptive", "suffix, static", "suffix, adaptive",
                  "benign correct", "harmless refused", "s/query", "published"}};
  for (const report::DefenseSummary& one : report::defenses({run}))
    table.push_back({one.defense, shown(one.attack), shown(one.adaptive), shown(one.text_suffix),
                     shown(one.text_adaptive), shown(one.benign_correct), shown(one.benign_rejected),
                     report::decimal(one.seconds_per_reply), published_value(recipe, one.defense, used)});
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

Recipe read_recipe(const std::string& name, const fs::path& folder, const ModelChoice& choice) {
  const auto names = recipe_names(folder);
  if (std::find(names.begin(), names.end(), name) == names.end())
    throw Error(unknown_name("recipe", name, names));
  const fs::path file = folder / (name + ".toml");
  const std::string where = file.string();
  json content = read_toml(file);
  check_keys(content, where);
  Recipe recipe{name,
                text_of(content, "title", where),
                text_of(content, "paper", where),
                text_of(content, "departs", where),
                {},
                {},
                published_rows(content, where)};
  json attack = content.value("attack", json::object());
  if (!attack.is_object()) throw Error(where + ": a recipe has a table [attack].");
  adapt(attack, folder, choice);
  json experiment = {{"attack", attack}};
  if (content.contains("grid")) experiment["grid"] = content["grid"];
  recipe.plans = plans_of_experiment(experiment, where);
  if (content.contains("evaluate")) {
    EvaluateConfig evaluate;
    set_fields(fields_of(evaluate), content["evaluate"], where + " [evaluate]");
    recipe.evaluate = evaluate;
  }
  return recipe;
}

Table recipe_table(const Recipe& recipe, const RunRecord& run) {
  std::set<std::string> used;
  Table table = recipe.evaluate ? defense_rows(recipe, run, used) : settings_rows(recipe, run, used);
  for (const auto& one : recipe.published) {
    if (used.contains(one.row)) continue;
    std::vector<std::string> row(table.front().size(), "–");
    row.front() = one.row;
    row.back() = one.value;
    table.push_back(std::move(row));
  }
  return table;
}

std::string recipe_markdown(const Recipe& recipe, const RunRecord& run) {
  const Table table = recipe_table(recipe, run);
  std::string out =
      markdown_row(table.front()) + markdown_row(std::vector(table.front().size(), std::string("---")));
  for (size_t i = 1; i < table.size(); ++i) out += markdown_row(table[i]);
  return out + "\n" + recipe.title + ". Published: " + recipe.paper + ". What differs: " + recipe.departs +
         "\n";
}

}  // namespace hijack
