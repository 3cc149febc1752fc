#pragma once
#include "src/experiment/report/aggregate/own_pictures.h"
#include "src/experiment/report/page/table.h"

namespace hijack::report {

/// A row for each set, defense and model that was asked; no rows where nothing was.
ReportTable own_pictures_table(const std::vector<OwnPictures>& all);

}  // namespace hijack::report
