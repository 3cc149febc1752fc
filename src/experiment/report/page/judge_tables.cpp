#include "src/experiment/report/page/judge_tables.h"

#include "src/experiment/report/values/text.h"

namespace hijack::report {

ReportTable judges_table(const Judged& judged) {
  ReportTable table{"judges", {"Replies", "Defense", "As recorded"}, 2};
  for (const std::string& judge : judged.judges) table.head.push_back(judge);
  table.head.emplace_back("Harmless refused");
  for (const JudgedReplies& one : judged.replies) {
    std::vector<Cell> row = {Cell{one.what}, Cell{one.defense}, rate_cell(one.recorded)};
    for (const std::string& judge : judged.judges) {
      const auto found = one.by_judge.find(judge);
      row.push_back(rate_cell(found == one.by_judge.end() ? Rate{} : found->second));
    }
    const auto refused = judged.harmless_refused.find(one.defense);
    row.push_back(rate_cell(refused == judged.harmless_refused.end() ? Rate{} : refused->second));
    table.rows.push_back(std::move(row));
  }
  table.caption =
      "Success on held-out contexts by judge, on the same stored replies. Harmless refused: replies to "
      "benign questions and clean images that a defense rejected or that hold a phrase of a refusal.";
  return table;
}

ReportTable agreement_table(const Judged& judged) {
  ReportTable table{"agreement", {"Judge", "And", "Replies", "Agree", "Cohen's kappa", "95% interval"}, 2};
  for (const JudgePair& one : judged.agreements) {
    const Agreement& found = one.agreement;
    Cell interval{
        std::isnan(found.kappa) ? "–" : decimal(found.interval.low) + " to " + decimal(found.interval.high)};
    interval.fields = {{"low", exact_number(found.interval.low)},
                       {"high", exact_number(found.interval.high)}};
    table.rows.push_back({Cell{one.first}, Cell{one.second}, number_cell(static_cast<double>(found.n)),
                          percent_cell(found.share), number_cell(found.kappa), interval});
  }
  table.caption =
      "Agreement beyond chance; the interval is a bootstrap over contexts. No kappa where both judges say "
      "the same of every reply: nothing then tells agreement from chance.";
  return table;
}

}  // namespace hijack::report
