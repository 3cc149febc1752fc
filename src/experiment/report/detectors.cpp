#include <limits>

#include "src/experiment/report/parts.h"
#include "src/experiment/report/text.h"
#include "src/experiment/svg.h"

namespace hijack::report {
namespace {

/// What a detector is asked to find, by the condition of the rows.
constexpr std::pair<const char*, const char*> kAttacks[] = {{"attack", "image attack"},
                                                            {"adaptive", "image attack, adaptive"},
                                                            {"text_suffix", "text suffix"},
                                                            {"text_adaptive", "text suffix, adaptive"}};

struct Scores {
  double threshold = 0;
  std::vector<double> benign;
  std::map<std::string, std::vector<double>> attacks;  ///< by condition
};

/// Detectors alone in front of the model, in order of appearance: in a stack an outer stage hides
/// submissions.
std::vector<std::pair<std::string, Scores>> scores_of(const std::vector<RunRecord>& runs) {
  std::vector<std::pair<std::string, Scores>> all;
  std::map<std::string, size_t> index;
  for (const RunRecord& run : runs) {
    for (const ReplyRow& row : run.replies) {
      const bool alone = row.trace.size() == 1 && row.trace[0].stage == row.defense;
      if (!alone || row.split == "train" || row.split == "validation") continue;
      const StageTrace& stage = row.trace[0];
      if (!std::isfinite(stage.score) || !std::isfinite(stage.threshold) || stage.threshold == 0) continue;
      const auto [found, fresh] = index.emplace(row.defense, all.size());
      if (fresh) all.push_back({row.defense, {}});
      Scores& scores = all[found->second].second;
      scores.threshold = stage.threshold;
      if (row.condition == "benign" || row.condition == "clean")
        scores.benign.push_back(stage.score);
      else
        scores.attacks[row.condition].push_back(stage.score);
    }
  }
  return all;
}

Rate above(const std::vector<double>& scores, double threshold) {
  Rate rate;
  for (const double score : scores) rate.add(score > threshold);
  return rate;
}

DetectorCurve curve(const std::string& detector, const std::string& attack, const Scores& scores,
                    const std::vector<double>& attacked) {
  return {detector,
          attack,
          roc_points(scores.benign, attacked),
          auroc(scores.benign, attacked),
          detection_rate_at(scores.benign, attacked, 0.01),
          detection_rate_at(scores.benign, attacked, 0.05),
          scores.threshold,
          above(attacked, scores.threshold),
          above(scores.benign, scores.threshold)};
}

std::string figure_of(const std::vector<DetectorCurve>& curves, size_t from, size_t to) {
  std::vector<RocSeries> series;
  for (size_t i = from; i < to; ++i)
    series.push_back({curves[i].attack + ", AUROC " + decimal(curves[i].auroc), curves[i].points});
  const std::string caption = "ROC of " + curves[from].detector;
  return "<figure class=\"chart\">" + roc_chart(caption, series) + "<figcaption>" + html(caption) + ", " +
         std::to_string(curves[from].false_alarms.n) +
         " harmless submissions. Diagonal: chance.</figcaption></figure>";
}

}  // namespace

std::vector<DetectorCurve> detector_curves(const std::vector<RunRecord>& runs) {
  std::vector<DetectorCurve> curves;
  for (const auto& [detector, scores] : scores_of(runs)) {
    if (scores.benign.empty()) continue;
    for (const auto& [condition, name] : kAttacks)
      if (const auto found = scores.attacks.find(condition); found != scores.attacks.end())
        curves.push_back(curve(detector, name, scores, found->second));
  }
  return curves;
}

std::string detector_figures(const std::vector<DetectorCurve>& curves) {
  std::string charts;
  for (size_t i = 0, end = 0; i < curves.size(); i = end) {
    for (end = i; end < curves.size() && curves[end].detector == curves[i].detector; ++end) {
    }
    charts += figure_of(curves, i, end);
  }
  return charts.empty() ? "" : "<div class=\"charts\">" + charts + "</div>";
}

std::string detector_table(const std::vector<DetectorCurve>& curves) {
  if (curves.empty()) return "";
  std::vector<std::vector<std::string>> rows;
  for (const DetectorCurve& one : curves)
    rows.push_back({html(one.detector), html(one.attack), decimal(one.auroc), percent(one.at_1_percent),
                    percent(one.at_5_percent), rate_cell(one.detected), rate_cell(one.false_alarms)});
  return table(
      {"Detector", "Attack", "AUROC", "Found at 1% false alarms", "Found at 5%", "Found at its threshold",
       "False alarms there"},
      rows,
      "Scores of benign questions and clean images against scores of attacks. The thresholds were fitted "
      "on other benign data, so false alarms differ from what was asked for. A detector that looks at "
      "prompts cannot tell an image attack from an honest question: an AUROC of 0.5 is what to expect.",
      "rates");
}

namespace {

std::string stage_text(const StageTrace& stage) {
  std::string text = "<b>" + html(stage.stage, 120) + "</b>: ";
  if (stage.threshold != 0)
    text += std::string(stage.rejected ? "<span class=\"bad\">rejected</span>" : "passed") + ", score " +
            decimal(stage.score) + " against " + decimal(stage.threshold) + (stage.note.empty() ? "" : "; ");
  return text + html(stage.note, 300);
}

std::string trace_cell(const ReplyRow& row) {
  std::string text;
  for (const StageTrace& stage : row.trace) text += (text.empty() ? "" : "<br>") + stage_text(stage);
  return text;
}

}  // namespace

std::string trace_examples(const std::vector<RunRecord>& runs) {
  constexpr size_t kMost = 80;
  std::set<std::string> shown;
  std::vector<std::vector<std::string>> rows;
  for (const RunRecord& run : runs) {
    for (const ReplyRow& row : run.replies) {
      const bool fresh = !row.trace.empty() && row.split != "train" && row.split != "validation" &&
                         row.condition != "noise" && rows.size() < kMost &&
                         shown.insert(row.defense + '\x1f' + row.condition).second;
      if (fresh)
        rows.push_back({html(row.defense, 200) + "<small>" + html(row.condition) + "</small>",
                        html(row.context.prompt, 300), trace_cell(row),
                        "<q>" + html(row.reply, 200) + "</q>"});
    }
  }
  if (rows.empty()) return "";
  return "<details><summary>What each stage saw and did: one example for each defense and kind of "
         "submission</summary>" +
         table({"Defense", "The user asks", "Stages, outermost first", "Reply"}, rows,
               "Every reply has its trace in replies.jsonl.", "replies") +
         "</details>";
}

}  // namespace hijack::report
