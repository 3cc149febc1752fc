#include "src/experiment/report/page/survival_table.h"
#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {

ReportTable survival_table(const std::vector<Survival>& all) {
  ReportTable table{"survival", {"Processing"}};
  for (const Survival& one : all) table.head.push_back(all.size() == 1 ? "Exact success" : one.trial.label);
  const auto add = [&](const std::string& name, const auto& rate_of_trial) {
    std::vector<Cell> row = {Cell{name}};
    for (const Survival& one : all) row.push_back(rate_cell(rate_of_trial(one)));
    table.rows.push_back(std::move(row));
  };
  if (all.empty()) return table;
  add("as saved", [](const Survival& one) { return rate_of(counted(*one.trial.trial, "test")); });
  for (const std::string& name : processing_names(all))
    add(name, [&](const Survival& one) { return success_after(one, name); });
  table.caption =
      "What the saved image survives on its way to the bare model: success on held-out contexts after it was "
      "encoded or scaled by somebody who means no defense.";
  return table;
}

}  // namespace hijack::report
