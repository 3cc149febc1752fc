#include "src/experiment/report/page/svg.h"

#include <cmath>
#include <cstdio>

#include "src/experiment/report/values/text.h"

namespace hijack {
namespace {

std::string unit(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f", std::isfinite(value) ? value : 0.0);
  return buffer;
}

std::string attribute(std::string_view name, double value) {
  return ' ' + std::string(name) + "=\"" + unit(value) + '"';
}
std::string css_class(std::string_view css) {
  return " class=\"" + std::string(css) + '"';
}

/// Corners of a marker around the origin.
std::string marker_path(Marker shape) {
  switch (shape) {
    case Marker::circle:
      return "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z";
    case Marker::square:
      return "M-3.6,-3.6h7.2v7.2h-7.2z";
    case Marker::triangle:
      return "M0,-5l4.6,8h-9.2z";
    case Marker::diamond:
      return "M0,-5l5,5l-5,5l-5,-5z";
    case Marker::cross:
      return "M-4,-2.5l1.5,-1.5l2.5,2.5l2.5,-2.5l1.5,1.5l-2.5,2.5l2.5,2.5l-1.5,1.5l-2.5,-2.5l-2.5,2.5l-1.5,-"
             "1.5l2.5,-2.5z";
    case Marker::plus:
      return "M-1.2,-4.5h2.4v3.3h3.3v2.4h-3.3v3.3h-2.4v-3.3h-3.3v-2.4h3.3z";
  }
  return "";
}

}  // namespace

Marker marker_of(size_t series) {
  return static_cast<Marker>(series % 6);
}

Svg::Svg(double width, double height, std::string_view label) {
  body_ = "<svg role=\"img\" viewBox=\"0 0 " + unit(width) + ' ' + unit(height) + "\" aria-label=\"" +
          report::html(label) + "\">";
}

void Svg::line(Point from, Point to, std::string_view css) {
  body_ += "<line" + css_class(css) + attribute("x1", from.x) + attribute("y1", from.y) +
           attribute("x2", to.x) + attribute("y2", to.y) + "/>";
}

void Svg::polyline(std::span<const Point> points, std::string_view css) {
  body_ += "<polyline" + css_class(css) + " points=\"";
  for (const Point& point : points) body_ += unit(point.x) + ',' + unit(point.y) + ' ';
  body_ += "\"/>";
}

void Svg::rectangle(Point corner, double width, double height, std::string_view css) {
  body_ += "<rect" + css_class(css) + attribute("x", corner.x) + attribute("y", corner.y) +
           attribute("width", width) + attribute("height", height) + "/>";
}

void Svg::marker(Marker shape, Point at, std::string_view css, std::string_view tooltip) {
  body_ += "<path" + css_class(css) + " transform=\"translate(" + unit(at.x) + ',' + unit(at.y) + ")\" d=\"" +
           marker_path(shape) + "\">";
  if (!tooltip.empty()) body_ += "<title>" + report::html(tooltip) + "</title>";
  body_ += "</path>";
}

void Svg::text(Point at, std::string_view text, std::string_view anchor, std::string_view css) {
  body_ += "<text" + css_class(css) + attribute("x", at.x) + attribute("y", at.y) + " text-anchor=\"" +
           std::string(anchor) + "\">" + report::html(text) + "</text>";
}

void Svg::vertical_text(Point at, std::string_view text, std::string_view css) {
  body_ += "<text" + css_class(css) + " transform=\"translate(" + unit(at.x) + ',' + unit(at.y) +
           ") rotate(-90)\" text-anchor=\"middle\">" + report::html(text) + "</text>";
}

double Axis::operator()(double value) const {
  const auto place = [&](double x) { return logarithmic ? std::log(x) : x; };
  const double share = (place(value) - place(low)) / (place(high) - place(low));
  return from + std::clamp(std::isfinite(share) ? share : 0.5, 0.0, 1.0) * (to - from);
}

std::vector<double> nice_ticks(double low, double high, bool logarithmic, int count) {
  std::vector<double> ticks;
  if (!(high > low) || !std::isfinite(high - low) || (logarithmic && low <= 0)) return {low};
  if (logarithmic) {
    const int first = static_cast<int>(std::floor(std::log10(low))),
              last = static_cast<int>(std::ceil(std::log10(high)));
    const bool few = last - first <= 3;
    const int stride = std::max(1, (last - first) / (2 * count));
    for (int power = first; power <= last; power += stride)
      for (const double digit : {1.0, 2.0, 5.0})
        if ((few || digit == 1) && digit * std::pow(10, power) >= low * 0.999 &&
            digit * std::pow(10, power) <= high * 1.001)
          ticks.push_back(digit * std::pow(10, power));
    return ticks;
  }
  const double raw = (high - low) / count, power = std::pow(10, std::floor(std::log10(raw)));
  const double share = raw / power;
  const double step = power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
  for (double tick = std::ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step)
    ticks.push_back(std::abs(tick) < step * 1e-9 ? 0 : tick);
  return ticks;
}

}  // namespace hijack
