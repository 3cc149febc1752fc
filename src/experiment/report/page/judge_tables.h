#pragma once
#include "src/experiment/report/aggregate/judged.h"
#include "src/experiment/report/page/table.h"

namespace hijack::report {

/// A row for each kind of reply and defense, a column for each judge, and what of the harmless is refused; no
/// rows where nobody judged.
ReportTable judges_table(const Judged& judged);
/// Agreement of each pair of judges.
ReportTable agreement_table(const Judged& judged);

}  // namespace hijack::report
