#include <limits>

#include "src/experiment/report/parts.h"
#include "src/experiment/report/text.h"

namespace hijack::report {
namespace {

using Row = std::vector<std::string>;

Rate substring_rate(const Tally& tally) {
  return {tally.substring, tally.n};
}

std::string small(const std::string& text) {
  return "<small>" + text + "</small>";
}

/// "+3 pp, p = 0.02" on a line of its own; empty where nothing pairs.
std::string small_change(const std::optional<double>& change, const std::optional<double>& p) {
  if (!change) return "";
  return small(points(*change) + (p ? ", p " + std::string(*p < 0.001 ? "" : "= ") + html(p_value(*p)) : ""));
}

std::string spread(const std::vector<double>& rates) {
  if (rates.empty()) return "–";
  const std::string seeds = std::to_string(rates.size()) + (rates.size() == 1 ? " seed" : " seeds");
  const double deviation = standard_deviation(rates);
  return percent(mean(rates)) + (std::isnan(deviation) ? "" : " ± " + points_size(deviation)) + small(seeds);
}

}  // namespace

std::string table(const Row& head, const std::vector<Row>& rows, const std::string& caption,
                  const std::string& css) {
  std::string out =
      "<figure class=\"table\"><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Table\">"
      "<table class=\"" +
      css + "\"><thead><tr>";
  for (const std::string& cell : head) out += "<th scope=\"col\">" + cell + "</th>";
  out += "</tr></thead><tbody>";
  for (const Row& row : rows) {
    out += "<tr>";
    for (size_t i = 0; i < row.size(); ++i)
      out += i ? "<td data-label=\"" + head[i] + "\">" + row[i] + "</td>"
               : "<th scope=\"row\">" + row[i] + "</th>";
    out += "</tr>\n";
  }
  return out + "</tbody></table></div><figcaption>" + caption + "</figcaption></figure>\n";
}

std::string rate_cell(const Rate& rate) {
  if (!rate.n) return "–";
  const std::string parts = disagreement(rate);
  return "<b>" + percent(rate.value()) + "</b>" +
         small(std::to_string(rate.successes) + "/" + std::to_string(rate.n) + " · " +
               percent(rate.interval())) +
         (parts.empty() ? "" : small(parts));
}

std::string success_table(const TrialRef& ref) {
  const TrialRow& trial = *ref.trial;
  std::vector<Row> rows;
  const auto add = [&](const std::string& label, const std::string& detail, const Tally& tally) {
    if (tally.n)
      rows.push_back({html(label) + small(html(detail)), rate_cell(rate_of(tally)),
                      interval_bar(rate_of(tally)), rate_cell(substring_rate(tally))});
  };
  const std::vector<std::pair<std::string, std::string>> splits{
      {"test", "held out: never optimized on, never used to choose"},
      {"validation", "chose the step"},
      {"train", "optimized on"}};
  add("Adversarial, test contexts", splits[0].second, counted(trial, "test"));
  add("Adversarial, held-out photos", "test contexts; photos never optimized on",
      counted(trial, "held_out_photos"));
  add("Clean image, test contexts", "control", control(trial, "clean"));
  add("Random noise, test contexts", "control at the same budget", control(trial, "noise"));
  for (const auto& [model, tallies] : trial.transfer)
    add("Adversarial, shown to " + model, "transfer: test contexts, another model",
        tally_of(tallies, "attack"));
  for (const auto& [name, tally] : trial.controls)
    if (name != "clean" && name != "noise") add(name, "control", tally);
  for (size_t i = 1; i < splits.size(); ++i)
    add("Adversarial, " + splits[i].first + " contexts", splits[i].second, counted(trial, splits[i].first));
  if (rows.empty()) return "<p>No reply was measured.</p>";
  return table({"Image and contexts", "Exact", "0 to 100%", "Substring match"}, rows,
               "How often the model obeyed. Exact: the whole reply is the behavior; substring match: the "
               "target occurs in "
               "the reply. With successes/replies and the 95% Wilson interval.",
               "rates");
}

std::string settings_table(const std::vector<Setting>& all) {
  std::vector<Row> rows;
  for (const Setting& setting : all) {
    std::vector<double> distances;
    for (const TrialRef& trial : setting.trials)
      if (const auto distance = mean_edit_distance(trial)) distances.push_back(*distance);
    Row row{html(setting.behavior) + small(html(setting.model)),
            html(defended_constraint(setting)) + small(html(setting.optimizer))};
    for (const Difference& one : setting.differences) row.push_back(html(one.value));
    const auto test = setting.success.find("test");
    row.insert(row.end(), {rate_cell(exact_of(setting.success, "test")), spread(setting.seed_rates),
                           rate_cell(test == setting.success.end() ? Rate{} : test->second.substring),
                           rate_cell(exact_of(setting.controls, "clean")),
                           rate_cell(exact_of(setting.controls, "noise")), decimal(mean(distances)),
                           decimal(setting.seconds_per_step)});
    rows.push_back(std::move(row));
  }
  Row head{"Behavior", "Constraint"};
  for (const std::string& name : difference_names(all)) head.push_back(html(name));
  for (const char* title : {"Exact success", "Mean ± sd over seeds", "Substring match", "Clean image",
                            "Random noise", "Edit distance", "Seconds per step"})
    head.push_back(title);
  return table(
      head, rows,
      "Held-out test contexts, pooled over seeds and photos, with 95% intervals over trials (see the "
      "foot of the page); one row for each setting. Edit distance: mean Levenshtein distance between "
      "reply and target.",
      "rates");
}

std::string transfer_table(const std::vector<Setting>& settings) {
  std::vector<Row> rows;
  for (const Transfer& one : transfers(settings))
    rows.push_back({html(one.setting->model),
                    html(one.model) + small(one.optimized ? "optimized on" : "transfer"),
                    html(one.setting->behavior) + small(html(setting_label(*one.setting))),
                    rate_cell(one.attack), rate_cell(one.clean), rate_cell(one.noise)});
  if (rows.empty()) return "";
  return table({"Optimized on", "Shown to", "Behavior", "Exact success", "Clean image", "Random noise"}, rows,
               "The saved images on the model they were made with, and on models they were not made with.",
               "rates");
}

std::string defense_table(const std::vector<DefenseSummary>& all) {
  const bool adaptive = std::any_of(
      all.begin(), all.end(), [](const auto& one) { return one.adaptive.n > 0 || one.text_adaptive.n > 0; });
  Row head{"Defense", "Image attack, static"};
  if (adaptive) head.push_back("Image attack, adaptive");
  head.push_back("Text suffix, static");
  if (adaptive) head.push_back("Text suffix, adaptive");
  for (const char* title : {"Benign correct", "Clean replies kept", "Harmless refused", "Seconds per query"})
    head.push_back(title);
  const bool several = several_attacks(all);
  if (several) head.insert(head.begin(), "Attack");
  std::vector<Row> rows;
  for (const DefenseSummary& one : all) {
    Row row{html(one.defense) + (one.details.empty() ? "" : small(html(one.details))),
            rate_cell(one.attack) + small_change(one.attack_change, one.attack_p)};
    if (adaptive) row.push_back(rate_cell(one.adaptive));
    row.push_back(rate_cell(one.text_suffix) + small_change(one.text_change, one.text_p));
    if (adaptive) row.push_back(rate_cell(one.text_adaptive));
    row.insert(row.end(), {rate_cell(one.benign_correct) + small_change(one.benign_change, one.benign_p),
                           one.defense == "none" ? "–" : rate_cell(one.clean_kept),
                           rate_cell(one.benign_rejected), decimal(one.seconds_per_reply)});
    if (several) row.insert(row.begin(), html(one.attack_label));
    rows.push_back(std::move(row));
  }
  return table(
      head, rows,
      std::string("Exact success on held-out contexts. Static: the attack does not know the defense. ") +
          (adaptive
               ? "Adaptive: it was made again through the defense; where the defense gives it nothing to "
                 "work on, it is the static one. "
               : "A defense that stops it may fall to an attack that does (hijack evaluate --adaptive). ") +
          "Signed: percentage points against no defense over the same submissions, with the exact McNemar p "
          "value over contexts. Clean cost: benign questions answered correctly, replies to the clean image "
          "that stay word "
          "for word the same, benign prompts and clean images refused, and the time per query.",
      "rates");
}

}  // namespace hijack::report
