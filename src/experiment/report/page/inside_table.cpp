#include "src/experiment/report/page/inside_table.h"

#include "src/experiment/report/values/text.h"

namespace hijack::report {

ReportTable inside_table(const std::vector<InsideRow>& all) {
  ReportTable table{
      "inside", {"Detector", "Of", "Replies", "AUROC", "Found at 1% false alarms", "At 5%", "Held out"}, 2};
  for (const InsideRow& row : all) {
    Cell area{shown_auroc(row)};
    area.number = row.auroc;
    area.fields = {
        {"", exact_number(row.auroc)}, {"low", exact_number(row.low)}, {"high", exact_number(row.high)}};
    table.rows.push_back({Cell{row.detector}, Cell{inside_what(row)},
                          Cell{std::to_string(row.positives) + " from " + std::to_string(row.negatives)},
                          area, percent_cell(row.found_at_1), percent_cell(row.found_at_5),
                          Cell{row.held_out.empty() ? "learns nothing" : row.held_out}});
  }
  table.caption =
      "Hijacked replies against those to clean photos and to noise of equal size, by detectors that look "
      "inside of the model and by others. What learns is tested on what it has not seen; the controls should "
      "hold 0.5. Intervals of 95% by a bootstrap over prompts.";
  return table;
}

}  // namespace hijack::report
