#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

Cell linked(const TrialRef& ref, size_t place) {
  Cell cell{clean_text(ref.label, 200)};
  cell.markup = "<a href=\"#" + trial_anchor(place) + "\">" + breakable(ref.label, 200) + "</a>";
  return cell;
}

/// The constraint, and what stands in front of the model.
Cell constraint_cell(const TrialRow& trial) {
  Cell cell{short_constraint(trial.constraint)};
  if (trial.defense != "none")
    cell.notes = {(trial.adaptive ? "adaptive to " : "behind ") + clean_text(trial.defense, 120)};
  return cell;
}

}  // namespace

std::string trial_anchor(size_t place) {
  return "trial-" + std::to_string(place + 1);
}

ReportTable trial_index(const std::vector<TrialRef>& trials) {
  ReportTable table{"trials",
                    {"Trial", "Behavior", "Constraint", "Exact success", "Clean image", "Random noise",
                     "Largest change, /255", "SSIM", "PSNR, dB", "Seed", "Steps", "Seconds"},
                    3};
  for (size_t i = 0; i < trials.size(); ++i) {
    const TrialRow& trial = *trials[i].trial;
    Cell change = number_cell(trial.budget.max_difference_255);
    if (!trial.budget.respected) change.notes = {"over budget: counts as failed"};
    table.rows.push_back({linked(trials[i], i),
                          {trial.behavior, {trial.model}},
                          constraint_cell(trial),
                          rate_cell(rate_of(counted(trial, "test"))),
                          rate_cell(rate_of(control(trial, "clean"))),
                          rate_cell(rate_of(control(trial, "noise"))),
                          change,
                          number_cell(trial.visibility.ssim),
                          number_cell(trial.visibility.psnr),
                          number_cell(static_cast<double>(trial.seed)),
                          number_cell(static_cast<double>(trial.steps)),
                          number_cell(trial.seconds)});
  }
  table.css = "rates index";
  table.filter = true;
  table.caption = "One row for each trial: success on held-out contexts, with 95% Wilson intervals.";
  return table;
}

}  // namespace hijack::report
