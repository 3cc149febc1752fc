#pragma once
#include <string>
#include <vector>

#include "src/experiment/plan/recipe.h"
#include "src/experiment/record/results.h"

namespace hijack {

/// Our figures beside the published ones: a table of settings (where there are several, or nothing else), or
/// of the models that their images were shown to, or of behaviors by constraints; and one of defenses, where
/// the recipe evaluates some. The first row of each is the head. Rates with their intervals
/// (report/values/rate.h); further columns name what differs between settings. A published row that meets
/// none of ours stands at the end of the last.
std::vector<std::vector<std::vector<std::string>>> recipe_tables(const Recipe& recipe, const RunRecord& run);

/// The same as Markdown, with the paper and what differs.
std::string recipe_markdown(const Recipe& recipe, const RunRecord& run);

}  // namespace hijack
