#pragma once
#include "src/experiment/report/aggregate/probed.h"
#include "src/experiment/report/page/table.h"

namespace hijack::report {

/// A row for each group of questions and kind of image; no rows where nobody probed.
ReportTable probe_table(const std::vector<Probed>& all);

}  // namespace hijack::report
