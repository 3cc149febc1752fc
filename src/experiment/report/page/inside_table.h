#pragma once
#include "src/experiment/report/aggregate/inside.h"
#include "src/experiment/report/page/table.h"

namespace hijack::report {

/// A row for each detector and setting, controls last; no rows where nobody measured.
ReportTable inside_table(const std::vector<InsideRow>& all);

}  // namespace hijack::report
