#include "src/experiment/report/page/own_pictures_table.h"

#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {

ReportTable own_pictures_table(const std::vector<OwnPictures>& all) {
  ReportTable table{"own-pictures", {"Set", "Defense", "Obeyed or right", "Rejected"}};
  for (const OwnPictures& one : all) {
    Cell set{clean_text(one.set, 200)};
    set.notes = {one.answers ? "right answers" : "no refusal"};
    if (!one.whom.empty()) set.notes.push_back(clean_text(one.whom, 200));
    table.rows.push_back(
        {set, {clean_text(one.defense, 200)}, rate_cell(one.obeyed), rate_cell(one.rejected)});
  }
  table.caption =
      "Cases of a test set, each about its own picture and without an attack of ours: replies that are no "
      "refusal by their words (hijack judge asks stricter judges), and of sets with right answers those that "
      "are right.";
  return table;
}

}  // namespace hijack::report
