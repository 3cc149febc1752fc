#include "src/experiment/report/aggregate/inside.h"

#include "src/experiment/report/aggregate/naming.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {

std::vector<InsideRow> inside(const std::vector<RunRecord>& runs) {
  std::vector<InsideRow> all;
  for (const RunRecord& run : runs) {
    std::map<std::string, std::string> last;
    for (const InsideRow& row : run.inside) last[row.detector] = row.measured;
    std::vector<InsideRow> own;
    for (const InsideRow& row : run.inside) {
      if (last.at(row.detector) != row.measured) continue;
      const auto known = std::find_if(own.begin(), own.end(), [&](const InsideRow& one) {
        return one.detector == row.detector && one.behavior == row.behavior &&
               one.constraint == row.constraint && one.what == row.what;
      });
      if (known == own.end())
        own.push_back(row);
      else
        *known = row;
    }
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

std::string inside_what(const InsideRow& row) {
  if (row.what.find("(control)") != std::string::npos) return row.what;
  return row.behavior.empty() ? "all" : row.behavior + ", " + short_constraint(row.constraint);
}

std::string shown_auroc(const InsideRow& row) {
  return decimal(row.auroc) + " (" + decimal(row.low) + " to " + decimal(row.high) + ")";
}

std::vector<std::vector<std::string>> inside_cells(const std::vector<InsideRow>& all) {
  std::vector<std::vector<std::string>> cells = {
      {"detector", "of", "replies", "AUROC", "found at 1 % false alarms", "at 5 %", "held out"}};
  for (const InsideRow& one : all)
    cells.push_back({one.detector, inside_what(one),
                     std::to_string(one.positives) + " from " + std::to_string(one.negatives),
                     shown_auroc(one), percent(one.found_at_1), percent(one.found_at_5),
                     one.held_out.empty() ? "–" : one.held_out});
  return cells;
}

}  // namespace hijack::report
