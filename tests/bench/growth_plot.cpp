// growth_plot ROWS.jsonl OUT.html: the rows of growth.py as charts, one page without scripts.
#include <cstdio>
#include <iostream>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/experiment/report/page/style.h"
#include "src/experiment/report/page/svg.h"
#include "src/experiment/report/values/text.h"

namespace hijack {
namespace {

using nlohmann::json;
constexpr double kWidth = 540, kHeight = 320, kLeft = 62, kRight = 16, kTop = 40, kBottom = 50;

struct Curve {
  std::string name;
  std::vector<Point> points;
};

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

void draw_axes(Svg& svg, const Axis& x, const Axis& y, const std::vector<Point>& at,
               const std::string& x_label, const std::string& y_label) {
  for (const double tick : nice_ticks(y.low, y.high, false)) {
    svg.line({x.from, y(tick)}, {x.to, y(tick)}, "grid");
    svg.text({x.from - 8, y(tick) + 4.5}, number(tick), "end");
  }
  for (const Point& point : at) svg.text({x(point.x), y.from + 20}, number(point.x), "middle");
  svg.line({x.from, y.from}, {x.to, y.from}, "axis");
  svg.text({(x.from + x.to) / 2, y.from + kBottom - 8}, x_label, "middle", "label axis-name");
  svg.vertical_text({16, (y.from + y.to) / 2}, y_label, "label axis-name");
}

std::string chart(const std::string& x_label, const std::string& y_label, const std::vector<Curve>& curves) {
  double highest = 0;
  for (const Curve& curve : curves)
    for (const Point& point : curve.points) highest = std::max(highest, point.y);
  highest *= 1.05;  // the last tick may lie below the highest point
  const auto& first = curves.front().points;
  const Axis x{first.front().x, first.back().x, true, kLeft + 16, kWidth - kRight - 16};
  const Axis y{0, highest, false, kHeight - kBottom, kTop};
  Svg svg(kWidth, kHeight, y_label + " by " + x_label);
  draw_axes(svg, x, y, first, x_label, y_label);
  double legend = kLeft;
  for (size_t i = 0; i < curves.size(); ++i) {
    std::string css = std::to_string(i);
    css.insert(css.begin(), 's');
    std::vector<Point> placed;
    for (const Point& point : curves[i].points) placed.push_back({x(point.x), y(point.y)});
    svg.polyline(placed, "line " + css);
    for (size_t p = 0; p < placed.size(); ++p)
      svg.marker(marker_of(i), placed[p], "mark " + css, number(curves[i].points[p].y));
    svg.marker(marker_of(i), {legend + 6, 16}, "mark " + css);
    svg.text({legend + 18, 20.5}, curves[i].name);
    legend += 40 + 7.4 * static_cast<double>(curves[i].name.size());
  }
  return svg.str();
}

/// What a sweep varies, in words, and why it costs what it costs.
struct Sweep {
  const char* key;
  const char* x;  ///< field of the rows
  const char* label;
  const char* why;
};
constexpr Sweep kSweeps[] = {
    {"contexts", "contexts", "contexts B",
     "The tower and the prefix are paid once, however many contexts there are; each context adds its own "
     "suffix (prompt after the image, and target) through the decoder and its target's logits. A loop that "
     "repeats the image for every context pays the left end of the curve B times."},
    {"target", "target", "target tokens",
     "Each target token is one more token of every suffix and one more row of logits, over the whole "
     "vocabulary."},
    {"prompt", "prompt", "prompt tokens after the image", "One more token of every suffix, without logits."},
    {"system", "system", "words before the image",
     "Text before the image does not depend on it: its keys and values are computed once for the run and "
     "take no gradient. What still grows is attention to them."},
    {"images", "images", "photos of a universal attack",
     "Each photo pays tower, prefix and suffixes once more; their activations are kept together until the "
     "one backward pass, so memory grows as well."},
    {"views", "image_tokens", "image tokens",
     "Each view is one more pass through the tower, and its tokens lengthen the prefix, which attention "
     "reads for every suffix token."},
};

/// The settings that a sweep holds fixed, in words.
std::string fixed_settings(const Sweep& sweep, const json& row) {
  std::string words;
  for (const char* key : {"contexts", "target", "prompt", "images"})
    if (key != std::string_view(sweep.key))
      words += (words.empty() ? " Fixed: " : ", ") + std::string(key) + " " + row.at(key).dump();
  return words + ".";
}

std::string section(const Sweep& sweep, const std::vector<json>& rows) {
  Curve seconds{"measured", {}}, floor{"multiply-adds / matrix rate", {}}, memory{"peak while stepping", {}};
  for (const json& row : rows) {
    const double x = row.at(sweep.x).get<double>();
    seconds.points.push_back({x, row.at("seconds").get<double>()});
    const double rate = row.at("multiply_adds_per_second").get<double>() * row.at("threads").get<double>();
    floor.points.push_back({x, row.at("multiply_adds").get<double>() / rate});
    memory.points.push_back({x, row.at("peak_bytes").get<double>() / 1e9});
  }
  if (seconds.points.size() < 2) return "";
  return std::string("<section><h2>") + report::html(sweep.label, 80) + "</h2><p>" +
         report::html(sweep.why + fixed_settings(sweep, rows.front()), 600) + "</p>" +
         chart(sweep.label, "seconds per step", {seconds, floor}) + chart(sweep.label, "GB", {memory}) +
         "</section>";
}

std::string page(const std::vector<json>& rows) {
  std::map<std::string, std::map<std::string, std::vector<json>>> sorted;  // by model, by sweep
  for (const json& row : rows)
    sorted[row.at("model").get<std::string>()][row.at("sweep").get<std::string>()].push_back(row);
  std::string body = "<h1>How the cost of one attack step grows</h1>";
  for (const auto& [model, sweeps] : sorted) {
    body += "<h1>" + report::html(model, 80) + "</h1>";
    for (const Sweep& sweep : kSweeps)
      if (const auto found = sweeps.find(sweep.key); found != sweeps.end())
        body += section(sweep, found->second);
  }
  return std::string(
             "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Growth</title>"
             "<meta name=\"viewport\" content=\"width=device-width\"><style>") +
         report::kStyle + "</style></head><body><main>" + body + "</main></body></html>\n";
}

int plot(const std::string& in, const std::string& out) {
  std::istringstream lines(read_file(in));
  std::vector<json> rows;
  for (std::string line; std::getline(lines, line);)
    if (!line.empty()) rows.push_back(json::parse(line));
  write_file(out, page(rows));
  std::cout << out << std::endl;
  return 0;
}

}  // namespace
}  // namespace hijack

int main(int argc, char** argv) {
  try {
    TORCH_CHECK(argc == 3, "growth_plot ROWS.jsonl OUT.html");
    return hijack::plot(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::cerr << "growth_plot: " << error.what() << std::endl;
    return 2;
  }
}
