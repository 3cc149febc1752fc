#pragma once
#include <string>
#include <vector>

#include "src/experiment/record/results.h"

namespace hijack::report {

/// What detectors tell apart inside of models (hijack inside): of each detector what was measured last, in
/// order of appearance.
std::vector<InsideRow> inside(const std::vector<RunRecord>& runs);

/// As a table of texts, the head first.
std::vector<std::vector<std::string>> inside_cells(const std::vector<InsideRow>& all);

/// What a row is about: "string, linf 8/255", "all", "noise from clean (control)".
std::string inside_what(const InsideRow& row);
/// "0.91 (0.88 to 0.94)".
std::string shown_auroc(const InsideRow& row);

}  // namespace hijack::report
