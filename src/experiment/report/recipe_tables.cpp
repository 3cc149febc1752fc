#include "src/experiment/report/recipe_tables.h"

#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/aggregate/encoders.h"
#include "src/experiment/report/aggregate/inside.h"
#include "src/experiment/report/aggregate/probed.h"
#include "src/experiment/report/values/text.h"

namespace hijack {
namespace {

using report::shown;
using Table = std::vector<std::vector<std::string>>;

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

Table encoder_rows(const std::vector<report::EncoderSummary>& all) {
  Table table = {{"optimized on", "setting", "encoder", "role", "cosine to the target", "clean image",
                  "random noise", "nearer to the target", "noise nearer"}};
  for (const report::EncoderSummary& one : all)
    table.push_back({one.setting->model, report::setting_label(*one.setting), one.encoder,
                     report::role_of(one), report::decimal(one.attack), report::decimal(one.clean),
                     report::decimal(one.noise), shown(one.attack_nearer), shown(one.noise_nearer)});
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

std::vector<Table> recipe_tables(const Recipe& recipe, const RunRecord& run) {
  const std::vector<RunRecord> runs = {run};
  const std::vector<report::Setting> settings = report::bare_settings(runs);
  const bool transferred =
      std::any_of(settings.begin(), settings.end(), [](const auto& one) { return !one.transfer.empty(); });
  std::set<std::string> used;
  std::vector<Table> tables;
  if (recipe.inside) tables.push_back(report::inside_cells(report::inside(runs)));
  if (recipe.probe) tables.push_back(report::probed_cells(report::probed(runs)));
  if (const auto encoders = report::encoder_summaries(settings); !encoders.empty())
    tables.push_back(encoder_rows(encoders));
  else if (transferred)
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
