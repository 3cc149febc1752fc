#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/experiment/report/values/statistics.h"

// Inline SVG for the report: a drawing, axes, and the two charts made of them. Colors come from the page's
// CSS classes (s0..s5 for series, axis, grid, ...), so that dark mode and print need no second drawing.

namespace hijack {

struct Point {
  double x = 0;
  double y = 0;
};

/// Shapes that tell series apart without color.
enum class Marker { circle, square, triangle, diamond, cross, plus };
Marker marker_of(size_t series);

/// A drawing of width x height units, scaled by the page. All text is escaped.
class Svg {
 public:
  Svg(double width, double height, std::string_view label);
  void line(Point from, Point to, std::string_view css);
  void polyline(std::span<const Point> points, std::string_view css);
  void rectangle(Point corner, double width, double height, std::string_view css);
  void marker(Marker shape, Point at, std::string_view css, std::string_view tooltip = {});
  /// anchor: start, middle or end.
  void text(Point at, std::string_view text, std::string_view anchor = "start",
            std::string_view css = "label");
  /// Reads upward, centered at `at`.
  void vertical_text(Point at, std::string_view text, std::string_view css = "label");
  std::string str() const { return body_ + "</svg>"; }

 private:
  std::string body_;
};

/// Maps values to drawing units.
struct Axis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  double from = 0;  ///< drawing unit of `low`
  double to = 1;
  double operator()(double value) const;
};

/// Round numbers that cover [low, high]: steps of 1, 2 or 5 x 10^k, about `count` of them; powers of ten on a
/// logarithmic axis (also 2 and 5 where there are few).
std::vector<double> nice_ticks(double low, double high, bool logarithmic, int count = 5);

struct ChartPoint {
  double x = 0;
  double y = 0;
  double low = 0;  ///< whisker
  double high = 0;
  std::string tooltip;
};
struct Series {
  std::string name;
  std::vector<ChartPoint> points;
  bool control = false;  ///< drawn gray and dashed
};

/// Rates in [0,1] over a few distinct x values (doubling scale), with interval whiskers and a legend.
std::string rate_chart(std::string_view label, std::string_view x_label, const std::vector<Series>& series);

struct RocSeries {
  std::string name;
  std::vector<RocPoint> points;
};
/// Detection rate over false-positive rate, both from 0 to 100 %, with the diagonal of chance.
std::string roc_chart(std::string_view label, const std::vector<RocSeries>& series);

struct LossMarks {
  double clean = 0;  ///< test loss of the origin; NaN = none
  double saved = 0;  ///< test loss of the saved image
  int64_t best_step = -1;
};
/// Training loss per step. Values that are not finite leave a gap.
std::string loss_chart(std::string_view label, std::span<const double> losses, const LossMarks& marks);

}  // namespace hijack
