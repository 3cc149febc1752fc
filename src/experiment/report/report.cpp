#include "src/experiment/report/report.h"

#include "src/base/error.h"
#include "src/base/registry.h"
#include "src/experiment/report/page/defended_replies.h"
#include "src/experiment/report/page/encoder_table.h"
#include "src/experiment/report/page/feature_section.h"
#include "src/experiment/report/page/inside_table.h"
#include "src/experiment/report/page/judge_tables.h"
#include "src/experiment/report/page/own_pictures_table.h"
#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/page/probe_table.h"
#include "src/experiment/report/page/survival_table.h"
#include "src/experiment/report/values/text.h"

namespace hijack {
namespace {

using namespace report;

/// An index, and below it one trial open and the others one click away.
std::string trial_list(const std::vector<TrialRef>& trials, const TrialRef& open,
                       const DefendedReplies& replies, PageBudget& budget) {
  const auto body = [&](const TrialRef& trial) {
    return trial_section(trial, budget, replies.of(trial, budget));
  };
  if (trials.size() == 1) return section("trial", "The attack", body(trials.front()));
  std::string out = html_table(trial_index(trials));
  for (size_t i = 0; i < trials.size(); ++i) {
    const Rate rate = rate_of(counted(*trials[i].trial, "test"));
    out += std::string("<details class=\"trial\" name=\"trial\"") +
           (trials[i].trial == open.trial ? " open" : "") + "><summary>" + html(trials[i].label, 200) +
           " – " + (rate.n ? percent(rate.value()) + " held-out success" : "not measured") +
           "</summary><div class=\"body\" id=\"" + trial_anchor(i) + "\">" + body(trials[i]) +
           "</div></details>\n";
  }
  return section("trials", std::to_string(trials.size()) + " trials", out);
}

std::string defense_section(const std::vector<RunRecord>& runs, const DefendedReplies& replies,
                            PageBudget& budget) {
  const std::vector<DefenseSummary> all = defenses(runs);
  if (all.empty()) return "";
  const std::vector<DetectorCurve> curves = detector_curves(runs);
  const std::string detectors =
      curves.empty()
          ? ""
          : section("detectors", "Detectors", detector_figures(curves) + html_table(detector_table(curves)));
  return section("defenses", "Defenses",
                 html_table(defense_table(all)) + trace_examples(runs) + replies.benign(budget)) +
         detectors;
}

/// A section for each table that has rows.
std::string further_sections(const std::vector<RunRecord>& runs, const std::vector<Setting>& all) {
  std::string out;
  const auto add = [&](const char* id, const char* title, const ReportTable& table) {
    if (!table.rows.empty()) out += section(id, title, html_table(table));
  };
  add("transfer", "Transfer to other models", transfer_table(all));
  add("encoders", "What image encoders see", encoder_table(encoder_summaries(all)));
  add("survival", "What the saved images survive", survival_table(survivals(runs)));
  add("own-pictures", "Test sets with their own pictures", own_pictures_table(own_pictures(runs)));
  add("inside", "Looking inside the model", inside_table(inside(runs)));
  add("probes", "What the images have taught", probe_table(probed(runs)));
  return out;
}

constexpr const char* kFooter =
    "<footer>Computed from the rows of the run alone. Intervals of 95%: within one trial Wilson's over "
    "replies, which say nothing about other seeds and photos; over several trials the wider of a bootstrap "
    "over photos and seeds (contexts within) and Wilson's at the effective number of replies, which more "
    "seeds over the same contexts do not raise. Where seeds or photos disagree, each is shown. A trial whose "
    "saved file breaks its budget counts as failed, one that stands there twice counts once.</footer>";

}  // namespace

std::string html_report(const std::vector<RunRecord>& runs) {
  const std::vector<Flag> flags = sanity_flags(runs);
  const std::vector<Setting> all = settings(runs);
  const std::vector<TrialRef> trials = all_trials(runs);
  const TrialRef first = shown_first(runs);
  const bool many = trials.size() > 1;
  const DefendedReplies replies(runs);
  PageBudget budget;
  std::string body = header(runs, flags, first.trial ? first_look(first, many, budget) : "") +
                     section("threat-model", "Threat model", threat_model(runs));
  if (many)
    body += section("settings", "Success by setting",
                    success_figures(bare_settings(runs)) + html_table(settings_table(all)));
  body += further_sections(runs, all);
  if (const Judged seen = judged(runs); !seen.judges.empty())
    body += section("judges", "Judges", html_table(judges_table(seen)) + html_table(agreement_table(seen)));
  const std::string defended = defense_section(runs, replies, budget);
  if (many) body += defended;
  if (!trials.empty()) body += trial_list(trials, first, replies, budget);
  if (!many) body += defended;
  body += feature_section(runs, budget);
  body += section("flags", "Sanity flags", flag_list(flags));
  body += section("manifest", "Manifest", manifests(runs));
  return page("hijack: " + headline(runs), body + kFooter);
}

namespace {

std::string json_text(const std::vector<RunRecord>& runs) {
  return json_report(runs).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

struct Format {
  const char* name;
  std::string (*make)(const std::vector<RunRecord>&);
};
const Registry<Format> kFormats("report format", {{"html", html_report},
                                                  {"md", markdown_report},
                                                  {"latex", latex_report},
                                                  {"csv", csv_report},
                                                  {"json", json_text}});

}  // namespace

std::vector<std::string> report_formats() {
  return kFormats.names();
}

std::string make_report(const std::string& format, const std::vector<RunRecord>& runs) {
  const Format* found = kFormats.find(format == "tex" ? "latex" : format);
  if (found) return found->make(runs);
  std::string known;
  const std::vector<std::string> names = report_formats();
  for (size_t i = 0; i < names.size(); ++i)
    known += (i == 0 ? "" : i + 1 < names.size() ? ", " : " or ") + names[i];
  throw Error("Unknown report format '" + format + "'; choose " + known + ".");
}

}  // namespace hijack
