#include <cmath>
#include <cstdio>
#include <limits>
#include <set>

#include "src/experiment/report/page/svg.h"
#include "src/experiment/report/values/text.h"

namespace hijack {
namespace {

// One size for all charts: text stays readable on a phone, where the drawing shrinks to about 70 %.
constexpr double kWidth = 540, kHeight = 320, kLeft = 70, kRight = 16, kBottom = 50;

/// Ticks are round numbers: "0.1", not "0.100".
std::string tick_label(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%g", value);
  return buffer;
}

void frame(Svg& svg, const Axis& x, const Axis& y, std::string_view x_label, std::string_view y_label) {
  svg.line({x.from, y.from}, {x.to, y.from}, "axis");
  svg.text({(x.from + x.to) / 2, y.from + kBottom - 8}, x_label, "middle", "label axis-name");
  svg.vertical_text({16, (y.from + y.to) / 2}, y_label, "label axis-name");
}

void horizontal_grid(Svg& svg, const Axis& x, double at, const std::string& label) {
  svg.line({x.from, at}, {x.to, at}, "grid");
  svg.text({x.from - 8, at + 4.5}, label, "end");
}

std::string css_of(const Series& series, size_t index) {
  return series.control ? "control" : "s" + std::to_string(index % 6);
}

/// Places the names in rows above the plot; returns the height used.
double legend(Svg& svg, const std::vector<Series>& all) {
  double x = kLeft, y = 16;
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string name = report::clean_text(all[i].name, 48);
    const double width = 40 + 7.4 * static_cast<double>(name.size());
    if (x > kLeft && x + width > kWidth) x = kLeft, y += 20;
    svg.line({x, y - 4.5}, {x + 22, y - 4.5}, "line " + css_of(all[i], i));
    svg.marker(marker_of(i), {x + 11, y - 4.5}, "mark " + css_of(all[i], i));
    svg.text({x + 28, y}, name);
    x += width;
  }
  return y + 14;
}

int legend_rows(const std::vector<Series>& all) {
  Svg scratch(1, 1, "");
  return static_cast<int>((legend(scratch, all) - 30) / 20);
}

std::set<double> x_values(const std::vector<Series>& all) {
  std::set<double> values;
  for (const Series& series : all)
    for (const ChartPoint& point : series.points) values.insert(point.x);
  return values;
}

/// Labels that would touch the one before are left out.
void draw_ticks(Svg& svg, const Axis& x, const Axis& y, const std::set<double>& values) {
  double last = -100;
  for (const double value : values) {
    if (x(value) - last < 26) continue;
    last = x(value);
    svg.line({last, y.from}, {last, y.from + 5}, "axis");
    svg.text({last, y.from + 20}, report::decimal(value), "middle");
  }
}

void draw_series(Svg& svg, const Axis& x, const Axis& y, const std::vector<Series>& all, size_t index) {
  // Beside each other, so that equal rates do not hide each other.
  const double aside = 5 * (static_cast<double>(index) - static_cast<double>(all.size() - 1) / 2);
  const std::string css = css_of(all[index], index);
  std::vector<Point> points;
  for (const ChartPoint& point : all[index].points) {
    const double at = x(point.x) + aside;
    points.push_back({at, y(point.y)});
    svg.line({at, y(point.low)}, {at, y(point.high)}, "whisker " + css);
    for (const double end : {point.low, point.high})
      svg.line({at - 3, y(end)}, {at + 3, y(end)}, "whisker " + css);
  }
  svg.polyline(points, "line " + css);
  for (size_t i = 0; i < points.size(); ++i)
    svg.marker(marker_of(index), points[i], "mark " + css, all[index].points[i].tooltip);
}

}  // namespace

std::string rate_chart(std::string_view label, std::string_view x_label, const std::vector<Series>& all) {
  const double height = kHeight + 20 * legend_rows(all);
  Svg svg(kWidth, height, label);
  const double top = legend(svg, all) + 8;
  const std::set<double> values = x_values(all);
  const double inset = 22;  // room for the whiskers beside the axis
  const Axis outer{0, 1, false, kLeft, kWidth - kRight};
  const Axis x{values.empty() ? 1 : *values.begin(), values.empty() ? 2 : *values.rbegin(), true,
               kLeft + inset, kWidth - kRight - inset};
  const Axis y{0, 1, false, height - kBottom, top};
  for (const double rate : {0.0, 0.25, 0.5, 0.75, 1.0})
    horizontal_grid(svg, outer, y(rate), report::percent(rate));
  draw_ticks(svg, x, y, values);
  frame(svg, outer, y, x_label, "success on held-out contexts");
  for (size_t i = 0; i < all.size(); ++i) draw_series(svg, x, y, all, i);
  return svg.str();
}

namespace {

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    if (std::isfinite(value)) low = std::min(low, value), high = std::max(high, value);
  }
};

Axis loss_axis(std::span<const double> losses, const LossMarks& marks, double top) {
  Range range;
  for (const double loss : losses) range.add(loss);
  range.add(marks.clean), range.add(marks.saved);
  if (!(range.high > range.low))
    range = {0, std::isfinite(range.high) && range.high > 0 ? range.high * 1.1 : 1};
  // Over more than a factor of 50 only a logarithmic axis shows both ends.
  const bool logarithmic = range.low > 0 && range.high / range.low > 50;
  if (logarithmic) return {range.low / 1.15, range.high * 1.15, true, kHeight - kBottom, top};
  return {std::min(0.0, range.low), range.high * 1.05, false, kHeight - kBottom, top};
}

/// At most `kColumns` columns, each with its smallest and largest value: peaks survive. Gaps split the line.
void draw_losses(Svg& svg, const Axis& x, const Axis& y, std::span<const double> losses) {
  constexpr size_t kColumns = 400;
  const size_t per_column = std::max<size_t>(1, losses.size() / kColumns);
  std::vector<Point> points;
  const auto finish = [&] {
    if (!points.empty()) svg.polyline(points, "line s0");
    points.clear();
  };
  for (size_t start = 0; start < losses.size(); start += per_column) {
    Range range;
    bool gap = false;
    for (size_t i = start; i < std::min(losses.size(), start + per_column); ++i) {
      range.add(losses[i]);
      gap = gap || !std::isfinite(losses[i]);
    }
    if (gap) finish();
    if (range.high < range.low) continue;
    const double at = x(static_cast<double>(start));
    points.push_back({at, y(range.high)});
    if (range.high > range.low) points.push_back({at, y(range.low)});
  }
  finish();
}

void draw_reference(Svg& svg, const Axis& x, const Axis& y, double loss, const std::string& name,
                    bool above) {
  if (!std::isfinite(loss)) return;
  const double at = y(loss);
  svg.line({x.from, at}, {x.to, at}, "reference");
  svg.text({x.to, at + (above ? -6 : 16)}, name + " " + report::decimal(loss), "end", "label halo");
}

}  // namespace

std::string loss_chart(std::string_view label, std::span<const double> losses, const LossMarks& marks) {
  Svg svg(kWidth, kHeight, label);
  const Axis y = loss_axis(losses, marks, 22);
  const Axis x{0, std::max(1.0, static_cast<double>(losses.size()) - 1), false, kLeft, kWidth - kRight};
  for (const double tick : nice_ticks(y.low, y.high, y.logarithmic))
    horizontal_grid(svg, x, y(tick), tick_label(tick));
  for (const double tick : nice_ticks(0, x.high, false)) {
    svg.line({x(tick), y.from}, {x(tick), y.from + 5}, "axis");
    svg.text({x(tick), y.from + 20}, report::decimal(tick), "middle");
  }
  frame(svg, x, y, "step", y.logarithmic ? "loss (logarithmic)" : "loss");
  draw_losses(svg, x, y, losses);
  draw_reference(svg, x, y, marks.clean, "clean image, test:", y(marks.clean) > 60);
  draw_reference(svg, x, y, marks.saved, "saved file, test:", true);
  const auto best = static_cast<size_t>(marks.best_step);
  if (marks.best_step >= 0 && best < losses.size() && std::isfinite(losses[best])) {
    const Point at{x(static_cast<double>(best)), y(losses[best])};
    svg.marker(Marker::circle, at, "mark s1", "chosen on validation contexts");
  }
  return svg.str();
}

std::string roc_chart(std::string_view label, const std::vector<RocSeries>& all) {
  std::vector<Series> names;
  for (const RocSeries& one : all) names.push_back({one.name, {}, false});
  const double height = kHeight + 60 + 20 * legend_rows(names);
  Svg svg(kWidth, height, label);
  const double top = legend(svg, names) + 8;
  const Axis x{0, 1, false, kLeft, kWidth - kRight};
  const Axis y{0, 1, false, height - kBottom, top};
  for (const double rate : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    horizontal_grid(svg, x, y(rate), report::percent(rate));
    svg.line({x(rate), y.from}, {x(rate), y.from + 5}, "axis");
    svg.text({x(rate), y.from + 20}, report::percent(rate), rate == 1 ? "end" : "middle");
  }
  svg.line({x(0), y(0)}, {x(1), y(1)}, "reference");
  frame(svg, x, y, "false alarms", "attacks found");
  for (size_t i = 0; i < all.size(); ++i) {
    std::vector<Point> points;
    for (const RocPoint& one : all[i].points)
      points.push_back({x(one.false_positive_rate), y(one.true_positive_rate)});
    svg.polyline(points, "line s" + std::to_string(i % 6));
    constexpr size_t kMarks = 40;  // a curve of many points needs no mark on each
    if (points.size() > kMarks) continue;
    for (const Point& point : points) svg.marker(marker_of(i), point, "mark s" + std::to_string(i % 6));
  }
  return svg.str();
}

}  // namespace hijack
