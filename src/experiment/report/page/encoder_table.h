#pragma once
#include "src/experiment/report/aggregate/encoders.h"
#include "src/experiment/report/page/table.h"

namespace hijack::report {

/// A row for each setting and encoder; no rows where no encoder was attacked.
ReportTable encoder_table(const std::vector<EncoderSummary>& all);

}  // namespace hijack::report
