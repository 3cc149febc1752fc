#include <cmath>
#include <cstdlib>

#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

using Row = std::vector<Cell>;

Rate substring_rate(const Tally& tally) {
  return rate_of({.n = tally.n, .exact = tally.substring, .draws = tally.draws});
}

/// Text with one line below it; no line where there is nothing to say.
Cell noted(const std::string& text, const std::string& note) {
  Cell cell{text};
  if (!note.empty()) cell.notes = {note};
  return cell;
}

/// A rate with its change against no defense: "+3 pp, p = 0.02" on a line of its own.
Cell changed_cell(const Rate& rate, const std::optional<double>& change, const std::optional<double>& p) {
  Cell cell = rate_cell(rate);
  if (!change) return cell;
  const std::string text =
      points(*change) + (p ? ", p " + std::string(*p < 0.001 ? "" : "= ") + p_value(*p) : "");
  cell.notes.push_back(text);
  cell.paper += ", " + text;
  cell.fields.push_back({"change", exact_number(*change)});
  if (p) cell.fields.push_back({"p", exact_number(*p)});
  return cell;
}

Cell spread_cell(const std::vector<double>& rates) {
  if (rates.empty()) return {"–"};
  const double deviation = standard_deviation(rates), middle = mean(rates);
  Cell cell{percent(middle) + (std::isnan(deviation) ? "" : " ± " + points_size(deviation))};
  cell.notes = {std::to_string(rates.size()) + (rates.size() == 1 ? " seed" : " seeds")};
  cell.paper = cell.text;
  cell.number = middle;
  cell.fields = {{"", exact_number(middle)},
                 {"deviation", exact_number(deviation)},
                 {"seeds", std::to_string(rates.size())}};
  return cell;
}

/// By number where the value begins with one.
Cell difference_cell(const Difference& one) {
  Cell cell{one.value};
  char* end = nullptr;
  const double number = std::strtod(one.value.c_str(), &end);
  if (end == one.value.c_str() + one.value.size() && !one.value.empty()) cell.number = number;
  return cell;
}

/// Columns in which no row says anything are left out.
void drop_empty_columns(ReportTable& table) {
  for (size_t i = table.head.size(); i-- > table.keys;) {
    const bool empty = std::all_of(table.rows.begin(), table.rows.end(),
                                   [&](const Row& row) { return row[i].text == "–" || row[i].text.empty(); });
    if (!empty || i == table.keys) continue;
    table.head.erase(table.head.begin() + static_cast<ptrdiff_t>(i));
    for (Row& row : table.rows) row.erase(row.begin() + static_cast<ptrdiff_t>(i));
  }
}

/// A rate with its bar: the pictures of one trial are compared with each other.
Cell barred_cell(const Tally& tally) {
  Cell cell = rate_cell(rate_of(tally));
  cell.markup += interval_bar(rate_of(tally));
  return cell;
}

}  // namespace

ReportTable success_table(const TrialRef& ref) {
  const TrialRow& trial = *ref.trial;
  ReportTable table{"success-" + trial.id, {"Image and contexts", "Exact", "Substring match"}};
  const auto add = [&](const std::string& label, const std::string& detail, const Tally& tally) {
    if (tally.n)
      table.rows.push_back({noted(label, detail), barred_cell(tally), rate_cell(substring_rate(tally))});
  };
  add("Adversarial, test contexts", "held out: never optimized on, never used to choose",
      counted(trial, "test"));
  add("Adversarial, held-out photos", "test contexts; photos never optimized on",
      counted(trial, "held_out_photos"));
  add("Clean image, test contexts", "control", control(trial, "clean"));
  add("Random noise, test contexts", "control at the same budget", control(trial, "noise"));
  for (const auto& [model, tallies] : trial.transfer)
    add("Adversarial, shown to " + model, "transfer: test contexts, another model",
        tally_of(tallies, "attack"));
  for (const auto& [name, tally] : trial.controls)
    if (name != "clean" && name != "noise") add(name, "control", tally);
  add("Adversarial, validation contexts", "chose the step", counted(trial, "validation"));
  add("Adversarial, train contexts", "optimized on", counted(trial, "train"));
  table.caption =
      "How often the model obeyed. Exact: the whole reply is the behavior; substring match: the target "
      "occurs in the reply. With successes/replies and the 95% Wilson interval, drawn from 0 to 100%.";
  return table;
}

ReportTable settings_table(const std::vector<Setting>& all) {
  ReportTable table{"settings", {"Behavior", "Constraint"}};
  for (const std::string& name : difference_names(all)) table.head.push_back(name);
  table.keys = table.head.size();
  for (const char* title : {"Exact success", "Mean ± sd over seeds", "Substring match", "Clean image",
                            "Random noise", "Edit distance", "Seconds per step"})
    table.head.emplace_back(title);
  for (const Setting& setting : all) {
    std::vector<double> distances;
    for (const TrialRef& trial : setting.trials)
      if (const auto distance = mean_edit_distance(trial)) distances.push_back(*distance);
    Row row{noted(setting.behavior, setting.model), noted(defended_constraint(setting), setting.optimizer)};
    for (const Difference& one : setting.differences) row.push_back(difference_cell(one));
    const auto test = setting.success.find("test");
    row.insert(row.end(), {rate_cell(exact_of(setting.success, "test")), spread_cell(setting.seed_rates),
                           rate_cell(test == setting.success.end() ? Rate{} : test->second.substring),
                           rate_cell(exact_of(setting.controls, "clean")),
                           rate_cell(exact_of(setting.controls, "noise")), number_cell(mean(distances)),
                           number_cell(setting.seconds_per_step)});
    table.rows.push_back(std::move(row));
  }
  drop_empty_columns(table);
  table.caption =
      "Held-out test contexts, pooled over seeds and photos, with 95% intervals over trials; one row for "
      "each setting. Edit distance: mean Levenshtein distance between reply and target.";
  return table;
}

ReportTable transfer_table(const std::vector<Setting>& settings) {
  ReportTable table{"transfer",
                    {"Shown to", "Optimized on", "Behavior", "Exact success", "Clean image", "Random noise"},
                    3};
  for (const Transfer& one : transfers(settings))
    table.rows.push_back({noted(one.model, one.optimized ? "optimized on" : "transfer"),
                          {one.setting->model},
                          noted(one.setting->behavior, setting_label(*one.setting)),
                          rate_cell(one.attack),
                          rate_cell(one.clean),
                          rate_cell(one.noise)});
  table.caption = "The saved images on the model they were made with, and on models they were not made with.";
  return table;
}

namespace {

Row defense_row(const DefenseSummary& one, bool several, bool adaptive) {
  Row row{noted(one.defense, one.details)};
  if (several) row.push_back({one.attack_label});
  row.push_back(changed_cell(one.attack, one.attack_change, one.attack_p));
  if (adaptive) row.push_back(rate_cell(one.adaptive));
  row.push_back(changed_cell(one.text_suffix, one.text_change, one.text_p));
  if (adaptive) row.push_back(rate_cell(one.text_adaptive));
  row.insert(row.end(), {changed_cell(one.benign_correct, one.benign_change, one.benign_p),
                         one.defense == "none" ? Cell{"–"} : rate_cell(one.clean_kept),
                         rate_cell(one.benign_rejected), number_cell(one.seconds_per_reply)});
  return row;
}

}  // namespace

ReportTable defense_table(const std::vector<DefenseSummary>& all) {
  const bool adaptive = std::any_of(
      all.begin(), all.end(), [](const auto& one) { return one.adaptive.n > 0 || one.text_adaptive.n > 0; });
  const bool several = several_attacks(all);
  ReportTable table{"defenses", {"Defense"}};
  if (several) table.head.emplace_back("Attack");
  table.keys = table.head.size();
  table.head.emplace_back("Image attack, static");
  if (adaptive) table.head.emplace_back("Image attack, adaptive");
  table.head.emplace_back("Text suffix, static");
  if (adaptive) table.head.emplace_back("Text suffix, adaptive");
  for (const char* title : {"Benign correct", "Clean replies kept", "Harmless refused", "Seconds per query"})
    table.head.emplace_back(title);
  for (const DefenseSummary& one : all) table.rows.push_back(defense_row(one, several, adaptive));
  drop_empty_columns(table);
  table.caption =
      std::string("Exact success on held-out contexts. Static: the attack does not know the defense. ") +
      (adaptive ? "Adaptive: it was made again through the defense; where the defense gives it nothing to "
                  "work on, it is the static one. "
                : "A defense that stops it may fall to an attack that does (hijack evaluate --adaptive). ") +
      "Signed: percentage points against no defense over the same submissions, with the exact McNemar p "
      "value over contexts. Clean cost: benign questions answered correctly, replies to the clean image "
      "that stay word for word the same, benign prompts and clean images refused, and the time per query.";
  return table;
}

}  // namespace hijack::report
