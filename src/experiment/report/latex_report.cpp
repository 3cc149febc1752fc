#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/values/text.h"

namespace hijack {

std::string latex_report(const std::vector<RunRecord>& runs) {
  using namespace report;
  const std::vector<Setting> all = settings(runs);
  const std::vector<DefenseSummary> defended = defenses(runs);
  std::vector<ReportTable> tables;
  if (!all.empty()) tables.push_back(settings_table(all));
  tables.push_back(transfer_table(all));
  if (!defended.empty()) tables.push_back(defense_table(defended));
  tables.push_back(detector_table(detector_curves(runs)));
  std::string out =
      "% hijack report. In the preamble: \\usepackage{booktabs,longtable}; for scripts other than Latin\n"
      "% XeLaTeX or LuaLaTeX. " +
      latex(headline(runs)) + "\n";
  for (const ReportTable& table : tables)
    if (!table.rows.empty()) out += "\n" + latex_table(table);
  return out;
}

}  // namespace hijack
