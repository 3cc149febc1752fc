#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/aggregate/encoders.h"
#include "src/experiment/report/aggregate/inside.h"
#include "src/experiment/report/aggregate/probed.h"
#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/sanity/sanity.h"
#include "src/experiment/report/values/text.h"

namespace hijack {
namespace {

using namespace report;

std::string row(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const std::string& cell : cells) out += " " + cell + " |";
  return out + "\n";
}

std::string head(const std::vector<std::string>& cells) {
  return row(cells) + row(std::vector<std::string>(cells.size(), "---"));
}

std::string change(const std::optional<double>& difference, const std::optional<double>& p) {
  if (!difference) return "–";
  return points(*difference) +
         (p ? " (p " + std::string(*p < 0.001 ? "" : "= ") + markdown(p_value(*p)) + ")" : "");
}

std::string settings_part(const std::vector<Setting>& all) {
  std::vector<std::string> titles = {"model", "behavior", "constraint", "optimizer"};
  for (const std::string& name : difference_names(all)) titles.push_back(markdown(name));
  for (const char* title : {"seeds", "held-out success", "mean ± sd", "clean", "noise", "s/step"})
    titles.emplace_back(title);
  std::string out = head(titles);
  for (const Setting& one : all) {
    const double deviation = standard_deviation(one.seed_rates);
    std::vector<std::string> cells = {markdown(one.model), markdown(one.behavior),
                                      markdown(defended_constraint(one)), markdown(one.optimizer)};
    for (const Difference& difference : one.differences) cells.push_back(markdown(difference.value));
    cells.insert(
        cells.end(),
        {std::to_string(one.seed_rates.size()), shown(one.success, "test"),
         percent(mean(one.seed_rates)) + (std::isnan(deviation) ? "" : " ± " + points_size(deviation)),
         shown(one.controls, "clean"), shown(one.controls, "noise"), decimal(one.seconds_per_step)});
    out += row(cells);
  }
  return out;
}

std::string transfer_part(const std::vector<Transfer>& all) {
  std::string out =
      head({"optimized on", "shown to", "behavior", "constraint", "held-out success", "clean", "noise"});
  for (const Transfer& one : all)
    out +=
        row({markdown(one.setting->model), markdown(one.model), markdown(one.setting->behavior),
             markdown(setting_label(*one.setting)), shown(one.attack), shown(one.clean), shown(one.noise)});
  return out;
}

std::string encoder_part(const std::vector<EncoderSummary>& all) {
  std::vector<std::string> titles = {"optimized on",
                                     "constraint",
                                     "encoder",
                                     "role",
                                     "cosine to the target",
                                     "clean",
                                     "noise",
                                     "nearer to the target",
                                     "noise nearer",
                                     "cosine to the clean photo",
                                     "noise"};
  const bool chosen = some_were_chosen(all);
  if (chosen) titles.emplace_back("steps");
  std::string out = head(titles);
  for (const EncoderSummary& one : all) {
    std::vector<std::string> cells = {markdown(one.setting->model), markdown(setting_label(*one.setting)),
                                      markdown(one.encoder),        markdown(role_of(one)),
                                      decimal(one.attack),          decimal(one.clean),
                                      decimal(one.noise),           shown(one.attack_nearer),
                                      shown(one.noise_nearer),      decimal(one.attack_to_clean),
                                      decimal(one.noise_to_clean)};
    if (chosen) cells.push_back(decimal(one.steps));
    out += row(cells);
  }
  return out;
}

/// Texts from rows, the head first.
std::string cells_part(const std::vector<std::vector<std::string>>& cells) {
  std::string out = head(cells.front());
  for (size_t i = 1; i < cells.size(); ++i) {
    std::vector<std::string> safe;
    for (const std::string& cell : cells[i]) safe.push_back(markdown(cell));
    out += row(safe);
  }
  return out;
}

std::string defense_part(const std::vector<DefenseSummary>& all) {
  const bool several = several_attacks(all);
  std::vector<std::string> titles = {
      "defense", "image attack, static",  "change",         "image attack, adaptive", "text suffix, static",
      "change",  "text suffix, adaptive", "benign correct", "clean replies kept",     "harmless refused",
      "s/query"};
  if (several) titles.insert(titles.begin(), "attack");
  std::string out = head(titles);
  for (const DefenseSummary& one : all) {
    std::vector<std::string> cells = {markdown(defense_label(one)),
                                      shown(one.attack),
                                      change(one.attack_change, one.attack_p),
                                      shown(one.adaptive),
                                      shown(one.text_suffix),
                                      change(one.text_change, one.text_p),
                                      shown(one.text_adaptive),
                                      shown(one.benign_correct),
                                      one.defense == "none" ? "–" : shown(one.clean_kept),
                                      shown(one.benign_rejected),
                                      decimal(one.seconds_per_reply)};
    if (several) cells.insert(cells.begin(), markdown(one.attack_label));
    out += row(cells);
  }
  return out;
}

std::string detector_part(const std::vector<DetectorCurve>& curves) {
  std::string out = head({"detector", "attack", "AUROC", "found at 1% false alarms", "found at 5%",
                          "found at its threshold", "false alarms there"});
  for (const DetectorCurve& one : curves)
    out += row({markdown(one.detector), markdown(one.attack), decimal(one.auroc), percent(one.at_1_percent),
                percent(one.at_5_percent), shown(one.detected), shown(one.false_alarms)});
  return out;
}

}  // namespace

std::string markdown_report(const std::vector<RunRecord>& runs) {
  std::string out = "# hijack report\n\n" + markdown(headline(runs)) + "\n";
  const std::vector<Setting> all = settings(runs);
  if (!all.empty())
    out +=
        "\n## Success on held-out contexts\n\nExact success with its 95% interval: Wilson's within one "
        "trial; over several trials a bootstrap over photos "
        "and seeds, never narrower than the contexts of one trial and the number of trials allow.\n\n" +
        settings_part(all);
  if (const auto shown_to_others = transfers(all); !shown_to_others.empty())
    out += "\n## Transfer\n\nThe same images on models that they were not made with.\n\n" +
           transfer_part(shown_to_others);
  if (const auto seen = encoder_summaries(all); !seen.empty())
    out += "\n## What image encoders see\n\nCosines of embeddings, measured on the saved files.\n\n" +
           encoder_part(seen);
  if (const auto found = inside(runs); !found.empty())
    out += "\n## Looking inside the model\n\n" + cells_part(inside_cells(found));
  if (const auto taught = probed(runs); !taught.empty())
    out += "\n## What the images have taught\n\n" + cells_part(probed_cells(taught));
  const std::vector<DefenseSummary> defended = defenses(runs);
  if (!defended.empty()) out += "\n## Defenses\n\n" + defense_part(defended);
  const std::vector<DetectorCurve> curves = detector_curves(runs);
  if (!curves.empty()) out += "\n## Detectors\n\n" + detector_part(curves);
  out += "\n## Sanity flags\n\n";
  const std::vector<Flag> flags = sanity_flags(runs);
  for (const Flag& flag : flags)
    out += "- **" + name(flag.severity) + ": " + markdown(flag.name) + "** " +
           (flag.trial.empty() ? "" : "(" + markdown(flag.trial) + ") ") + markdown(flag.meaning) + " " +
           markdown(flag.advice) + "\n";
  return flags.empty() ? out + "None raised.\n" : out;
}

}  // namespace hijack
