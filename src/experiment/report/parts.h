#pragma once
#include <string>
#include <vector>

#include "src/experiment/report/aggregate.h"
#include "src/experiment/report/sanity.h"

// The parts of the HTML page. Each returns markup that is already escaped.

namespace hijack::report {

// page.cpp
/// The whole document around `body`.
std::string page(const std::string& title, const std::string& body);
/// <section id=...> with a heading.
std::string section(const std::string& id, const std::string& heading, const std::string& body);

// pictures.cpp
/// Bytes of pictures that a page may still embed; what comes later is left out with a note.
struct PictureBudget {
  int64_t bytes_left = int64_t{48} << 20;
};
/// clean | difference x10 around gray | adversarial, with the measured budget.
std::string picture_sheet(const TrialRef& trial, PictureBudget& budget);

// charts.cpp
std::string loss_figure(const TrialRef& trial);
/// Success over epsilon and over patch size, where several exist; empty otherwise.
std::string success_figures(const std::vector<Setting>& settings);
/// A bar from 0 to 100 % with the interval and the rate.
std::string interval_bar(const Rate& rate);

// tables.cpp
/// A table that scrolls inside its own container on narrow screens.
std::string table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows,
                  const std::string& caption, const std::string& css = "");
/// "97%" with "90–99% · 58/60" below it.
std::string rate_cell(const Rate& rate);
/// Success by split beside the controls, of one trial.
std::string success_table(const TrialRef& trial);
std::string settings_table(const std::vector<Setting>& settings);
/// The same images shown to models that they were not made with; empty where none were.
std::string transfer_table(const std::vector<Setting>& settings);
std::string defense_table(const std::vector<DefenseSummary>& defenses);

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
std::string detector_table(const std::vector<DetectorCurve>& curves);
/// What each stage saw and did: one submission of each kind and defense, one click away.
std::string trace_examples(const std::vector<RunRecord>& runs);

// replies.cpp
std::string replies_table(const TrialRef& trial);

// sections.cpp
std::string header(const std::vector<RunRecord>& runs, const std::vector<Flag>& flags);
std::string threat_model(const std::vector<RunRecord>& runs);
std::string trial_section(const TrialRef& trial, PictureBudget& budget);
std::string flag_list(const std::vector<Flag>& flags);
std::string manifests(const std::vector<RunRecord>& runs);

}  // namespace hijack::report
