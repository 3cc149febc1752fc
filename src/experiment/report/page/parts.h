#pragma once
#include <string>
#include <vector>

#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/page/table.h"
#include "src/experiment/report/sanity/sanity.h"

// The parts of the HTML page. Each returns markup that is already escaped.

namespace hijack::report {

// page.cpp
/// The whole document around `body`.
std::string page(const std::string& title, const std::string& body);
/// <section id=...> with a heading.
std::string section(const std::string& id, const std::string& heading, const std::string& body);

/// Bytes that a page may still embed; what comes later is left out with a note.
struct PageBudget {
  int64_t picture_bytes_left = int64_t{48} << 20;
  int64_t reply_bytes_left = int64_t{8} << 20;
};

// first_look.cpp
/// The trial that a page shows first: of the strongest setting the strongest, one with pictures where there
/// is one. Its `trial` is null without trials.
TrialRef shown_first(const std::vector<RunRecord>& runs);
/// Clean and adversarial picture side by side, one question, and what the model says to both.
std::string first_look(const TrialRef& trial, bool one_of_many, PageBudget& budget);

// pictures.cpp
/// clean | difference x10 around gray | adversarial, with the measured budget; "" of a language model.
std::string picture_sheet(const TrialRef& trial, PageBudget& budget);
/// The two alone: images, or notes why not.
struct PicturePair {
  std::string clean, adversarial;
};
PicturePair picture_pair(const TrialRef& trial, PageBudget& budget);
/// A PNG of the run's folder, or a note why it is not shown.
std::string run_picture(const RunRecord& run, const std::string& file, const std::string& alt,
                        PageBudget& budget);
/// Both files are there.
bool has_pictures(const TrialRef& trial);

// charts.cpp
std::string loss_figure(const TrialRef& trial);
/// Success over epsilon and over patch size, where several exist; empty otherwise.
std::string success_figures(const std::vector<Setting>& settings);
/// A bar from 0 to 100 % with the interval and the rate.
std::string interval_bar(const Rate& rate);

// tables.cpp
/// Success by split beside the controls, of one trial.
ReportTable success_table(const TrialRef& trial);
ReportTable settings_table(const std::vector<Setting>& settings);
/// The same images shown to models that they were not made with; no rows where none were.
ReportTable transfer_table(const std::vector<Setting>& settings);
ReportTable defense_table(const std::vector<DefenseSummary>& defenses);

// detectors.cpp
/// A detector's scores of harmless submissions against those of one kind of attack.
struct DetectorCurve {
  std::string detector;
  std::string attack;  ///< "image attack", "text suffix", each also "…, adaptive"
  std::vector<RocPoint> points;
  double auroc = 0;
  double at_1_percent = 0;  ///< detection rate at that false-positive rate
  double at_5_percent = 0;
  double threshold = 0;  ///< the calibrated one
  Rate detected;         ///< above it
  Rate false_alarms;
};
/// Of detectors that were evaluated alone; those of one detector together.
std::vector<DetectorCurve> detector_curves(const std::vector<RunRecord>& runs);
/// One chart for each detector; empty without curves.
std::string detector_figures(const std::vector<DetectorCurve>& curves);
ReportTable detector_table(const std::vector<DetectorCurve>& curves);
/// What each stage saw and did: one submission of each kind and defense, one click away.
std::string trace_examples(const std::vector<RunRecord>& runs);

// replies.cpp
std::string replies_table(const TrialRef& trial);
Cell reply_cell(const ReplyRow& reply);
/// "obeyed", "rejected by the defense", ...: in words, a sign and a color.
Cell verdict_cell(const ReplyRow& reply);
/// With the system prompt and the earlier turns below it.
Cell question_cell(const Query& context);

// trial_index.cpp
/// A row for each trial, with links to its section.
ReportTable trial_index(const std::vector<TrialRef>& trials);
/// Where the link of a trial leads.
std::string trial_anchor(size_t place);

// sections.cpp
/// The headline; `look` (what people look at) and the figures below it.
std::string header(const std::vector<RunRecord>& runs, const std::vector<Flag>& flags,
                   const std::string& look);
std::string threat_model(const std::vector<RunRecord>& runs);
std::string trial_section(const TrialRef& trial, PageBudget& budget, const std::string& by_defense);
std::string flag_list(const std::vector<Flag>& flags);
std::string manifests(const std::vector<RunRecord>& runs);

}  // namespace hijack::report
