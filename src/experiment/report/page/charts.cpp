#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/page/svg.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

std::string figure(const std::string& chart, const std::string& caption) {
  return "<figure class=\"chart\">" + chart + "<figcaption>" + caption + "</figcaption></figure>";
}

ChartPoint point_of(double x, const Rate& rate, const std::string& name) {
  const Interval interval = rate.interval();
  const std::string parts = disagreement(rate);
  return {x, rate.value(), interval.low, interval.high,
          name + ": " + percent(rate.value()) + " (" + std::to_string(rate.successes) + "/" +
              std::to_string(rate.n) + ", 95% interval " + percent(interval) +
              (parts.empty() ? "" : "; " + parts) + ")"};
}

/// Which settings a chart shows, and where on its x axis. NaN: not shown.
using Position = double (*)(const Setting&);

double epsilon_of(const Setting& setting) {
  return setting.constraint_name == "linf" && setting.epsilon_255 > 0 ? setting.epsilon_255 : std::nan("");
}
double patch_of(const Setting& setting) {
  return setting.constraint_name == "patch" && setting.patch_size > 0
             ? static_cast<double>(setting.patch_size)
             : std::nan("");
}

std::string several(const std::vector<Setting>& all, std::string Setting::*member) {
  std::set<std::string> values;
  for (const Setting& setting : all) values.insert(setting.*member);
  return values.size() > 1 ? "yes" : "";
}

/// One series per behavior (and model and optimizer where several exist, and whatever else differs), and one
/// for all noise controls.
std::vector<Series> series_of(const std::vector<Setting>& all, Position position) {
  const bool models = !several(all, &Setting::model).empty(),
             optimizers = !several(all, &Setting::optimizer).empty();
  std::vector<Series> result;
  std::map<std::string, size_t> index;
  std::map<double, Rate> noise;
  for (const Setting& setting : all) {
    const double x = position(setting);
    const Rate test = exact_of(setting.success, "test");
    if (std::isnan(x)) continue;
    for (const Cluster& one : exact_of(setting.controls, "noise").clusters)
      noise[x].add(setting.digest + one.photo, one.seed, one.successes, one.n, one.draws);
    if (!test.n) continue;
    const std::string name = setting.behavior + (models ? ", " + setting.model : "") +
                             (optimizers ? ", " + setting.optimizer : "") + needed_label(setting);
    const auto [found, is_new] = index.emplace(name, result.size());
    if (is_new) result.push_back({name, {}, false});
    result[found->second].points.push_back(point_of(x, test, name + ", " + setting.constraint));
  }
  Series control{"random noise", {}, true};
  for (const auto& [x, rate] : noise)
    if (rate.n) control.points.push_back(point_of(x, rate, "random noise"));
  if (!control.points.empty()) result.push_back(control);
  return result;
}

std::string success_figure(const std::vector<Setting>& all, Position position, const std::string& axis,
                           const std::string& caption) {
  std::set<double> values;
  for (const Setting& setting : all)
    if (!std::isnan(position(setting))) values.insert(position(setting));
  if (values.size() < 2) return "";
  return figure(rate_chart(caption, axis, series_of(all, position)), html(caption));
}

}  // namespace

std::string loss_figure(const TrialRef& ref) {
  const TrialRow& trial = *ref.trial;
  if (trial.losses.empty()) return "";
  const std::string label = "Training loss over " + std::to_string(trial.losses.size()) + " steps, from " +
                            decimal(trial.losses.front()) + " to " + decimal(trial.losses.back());
  const std::string chosen = trial.best_step < 0 ? ""
                                                 : " Dot: step " + std::to_string(trial.best_step) +
                                                       ", chosen on validation contexts.";
  return figure(
      loss_chart(label, trial.losses, {trial.loss_clean, trial.loss_saved, trial.best_step}),
      "Training loss per step. Dashed: mean loss on the held-out test contexts, before and after." + chosen);
}

std::string success_figures(const std::vector<Setting>& all) {
  const std::string figures =
      success_figure(all, epsilon_of, "epsilon (l_inf, in 1/255, model input space)",
                     "Exact success on held-out contexts over epsilon, pooled over seeds; whiskers: 95% "
                     "interval.") +
      success_figure(all, patch_of, "side of the patch (pixels of the model input)",
                     "Exact success on held-out contexts over patch size, pooled over seeds; whiskers: 95% "
                     "interval.");
  return figures.empty() ? "" : "<div class=\"charts\">" + figures + "</div>";
}

std::string interval_bar(const Rate& rate) {
  if (!rate.n) return "";
  const Interval interval = rate.interval();
  Svg svg(120, 14, percent(rate.value()) + ", interval " + percent(interval));
  svg.line({2, 7}, {118, 7}, "grid");
  svg.rectangle({2 + 116 * interval.low, 3.5}, std::max(1.0, 116 * (interval.high - interval.low)), 7,
                "band");
  svg.rectangle({2 + 116 * rate.value() - 1.5, 1}, 3, 12, "tick");
  return "<span class=\"bar\">" + svg.str() + "</span>";
}

}  // namespace hijack::report
