#pragma once
#include <string>
#include <vector>

#include "src/experiment/report/page/parts.h"

namespace hijack::report {

/// What `hijack features` found, of each autoencoder the latest; "" without.
std::string feature_section(const std::vector<RunRecord>& runs, PageBudget& budget);

}  // namespace hijack::report
