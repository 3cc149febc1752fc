#include "src/experiment/report/page/probe_table.h"

#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

Cell probed_rate_cell(const Rate& rate) {
  Cell cell{shown_with_interval(rate)};
  cell.number = rate.value();
  const Interval interval = rate.interval();
  cell.fields = {{"", exact_number(rate.value())},
                 {"n", std::to_string(rate.n)},
                 {"low", exact_number(interval.low)},
                 {"high", exact_number(interval.high)}};
  return cell;
}

Cell margin_cell(const Probed& one) {
  Cell cell{shown_margin(one)};
  cell.number = one.margin;
  cell.fields = {{"", exact_number(one.margin)},
                 {"low", exact_number(one.margin_interval.low)},
                 {"high", exact_number(one.margin_interval.high)}};
  return cell;
}

}  // namespace

ReportTable probe_table(const std::vector<Probed>& all) {
  ReportTable table{"probes",
                    {"Questions", "Image", "Asked", "Answer given", "Answer likelier than all others",
                     "Log-likelihood over the others"},
                    2};
  for (const Probed& one : all)
    table.rows.push_back({Cell{one.group}, Cell{probed_image_name(one.image)},
                          number_cell(static_cast<double>(one.said.n)), probed_rate_cell(one.said),
                          probed_rate_cell(one.preferred), margin_cell(one)});
  table.caption =
      "What else the image taught: questions that it was not made to answer. The last column is in nats, "
      "with a 95% interval by a bootstrap over pairs; 0 means that the answer is as likely as any other.";
  return table;
}

}  // namespace hijack::report
