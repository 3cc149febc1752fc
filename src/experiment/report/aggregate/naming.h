#pragma once
#include "src/experiment/report/aggregate/settings.h"

namespace hijack::report {

/// Gives models of one name that differ in their weights names that tell them apart, and fills in the
/// differences of all settings.
void name_settings(std::vector<Setting>& settings);

/// The order of settings(), by the fixed columns and then by the differences.
void sort_settings(std::vector<Setting>& settings);

}  // namespace hijack::report
