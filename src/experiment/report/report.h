#pragma once
#include <string>
#include <vector>

#include "src/experiment/record/results.h"

// Reports over one or several runs: pure functions of the rows (and of the PNG files they name). The same
// rows give the same bytes.

namespace hijack {

/// One self-contained page: no network, and one script of our own (sorting, filtering) that the page can do
/// without; its policy names the script's hash and allows no other. All that comes from rows is escaped.
std::string html_report(const std::vector<RunRecord>& runs);

/// The headline, the tables and the flags as GitHub Markdown.
std::string markdown_report(const std::vector<RunRecord>& runs);

/// The tables of settings, transfer, defenses and detectors as LaTeX (booktabs).
std::string latex_report(const std::vector<RunRecord>& runs);

/// {"headline", "settings": [...], "defenses": [...], "detectors": [...], "trials": [...], "flags": [...]};
/// NaN is null.
nlohmann::json json_report(const std::vector<RunRecord>& runs);

/// One line per rate:
/// table,model,behavior,constraint,optimizer,differences,epsilon_255,patch_size,defense,measure,successes,n,
/// rate,low,high,disagreement. `table` is "settings" or "defenses" (whose constraint column names the attack
/// where there are several).
std::string csv_report(const std::vector<RunRecord>& runs);

/// What make_report knows: html, md, latex, csv and json.
std::vector<std::string> report_formats();

/// By one of these names (or tex). Throws Error for another name.
std::string make_report(const std::string& format, const std::vector<RunRecord>& runs);

}  // namespace hijack
