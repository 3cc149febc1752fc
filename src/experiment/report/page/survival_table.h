#pragma once
#include "src/experiment/report/aggregate/survival.h"
#include "src/experiment/report/page/table.h"

namespace hijack::report {

/// A row for each processing, a column for each trial; no rows where none was asked.
ReportTable survival_table(const std::vector<Survival>& all);

}  // namespace hijack::report
