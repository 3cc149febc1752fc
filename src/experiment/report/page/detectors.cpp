#include <limits>

#include "src/experiment/report/aggregate/grouping.h"
#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/page/svg.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

/// What a detector is asked to find, by the condition of the rows.
constexpr std::pair<const char*, const char*> kAttacks[] = {{"attack", "image attack"},
                                                            {"adaptive", "image attack, adaptive"},
                                                            {"text_suffix", "text suffix"},
                                                            {"text_adaptive", "text suffix, adaptive"}};

/// What a detector alone in front of the model said: in a stack an outer stage hides submissions.
const StageTrace* score_of(const Asked& asked) {
  const ReplyRow& row = *asked.reply;
  if (row.trace.size() != 1 || row.trace[0].stage != row.defense) return nullptr;
  const StageTrace& stage = row.trace[0];
  const bool scored = std::isfinite(stage.score) && std::isfinite(stage.threshold) && stage.threshold != 0;
  return scored ? &stage : nullptr;
}

/// Scores, and how many lie above their thresholds.
struct Scores {
  std::vector<double> values;
  Rate above;
  void add(const Asked& asked) {
    const StageTrace& stage = *score_of(asked);
    const bool found = stage.score > stage.threshold;
    values.push_back(stage.score);
    const Draw one{found, asked.reply->draw};
    if (asked.reply->condition == "benign")
      above.add(asked.question, one);
    else if (asked.trial)
      above.add(photo_key(*asked.trial), asked.trial->seed, one);
    else
      above.add(asked.reply->trial, 0, one);
  }
};

/// The curves of one attack and one stack.
void add_curves(const std::vector<const Asked*>& rows, const std::string& detector, const std::string& attack,
                std::vector<DetectorCurve>& curves) {
  Scores harmless;
  for (const Asked* one : rows)
    if (one->reply->condition == "benign" || one->reply->condition == "clean") harmless.add(*one);
  if (harmless.values.empty()) return;
  const Variants variants(rows);
  for (const auto& [condition, title] : kAttacks) {
    std::map<std::string, Scores> attacks;  // by variant
    for (const Asked* one : rows)
      if (one->reply->condition == condition) attacks[variants.of(*one).value_or("")].add(*one);
    for (const auto& [variant, scores] : attacks) {
      std::string name = title;
      for (const std::string& part : {attack, variant})
        if (!part.empty()) name += ", " + part;
      curves.push_back({detector, name, roc_points(harmless.values, scores.values),
                        auroc(harmless.values, scores.values),
                        detection_rate_at(harmless.values, scores.values, 0.01),
                        detection_rate_at(harmless.values, scores.values, 0.05),
                        score_of(*rows[0])->threshold, scores.above, harmless.above});
    }
  }
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
  const std::vector<Asked> all = asked_once(runs);
  const std::vector<EvaluatedAttack> attacks = evaluated_attacks(runs, all);
  std::vector<DetectorCurve> curves;
  for (const StackName& stack : stack_names(all)) {
    for (const EvaluatedAttack& attack : attacks) {
      std::vector<const Asked*> rows;
      for (const Asked& one : all)
        if (one.stack == stack.key && belongs(attack, one) && score_of(one)) rows.push_back(&one);
      const std::string name = stack.defense + (stack.details.empty() ? "" : ", " + stack.details);
      if (!rows.empty()) add_curves(rows, name, attack.label, curves);
    }
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

ReportTable detector_table(const std::vector<DetectorCurve>& curves) {
  ReportTable table{"detectors",
                    {"Detector", "Attack", "AUROC", "Found at 1% false alarms", "Found at 5%",
                     "Found at its threshold", "False alarms there"},
                    2};
  for (const DetectorCurve& one : curves)
    table.rows.push_back({{one.detector},
                          {one.attack},
                          number_cell(one.auroc),
                          percent_cell(one.at_1_percent),
                          percent_cell(one.at_5_percent),
                          rate_cell(one.detected),
                          rate_cell(one.false_alarms)});
  table.caption =
      "Scores of benign questions and clean images against scores of attacks. The thresholds were fitted "
      "on other benign data, so false alarms differ from what was asked for. A detector that looks at "
      "prompts cannot tell an image attack from an honest question: an AUROC of 0.5 is what to expect.";
  return table;
}

namespace {

std::string stage_text(const StageTrace& stage) {
  std::string text = stage.stage + ": ";
  if (stage.threshold != 0)
    text += std::string(stage.rejected ? "rejected" : "passed") + ", score " + decimal(stage.score) +
            " against " + decimal(stage.threshold) + (stage.note.empty() ? "" : "; ");
  return text + stage.note;
}

std::string stage_markup(const StageTrace& stage) {
  std::string text = "<b>" + breakable(stage.stage, 120) + "</b>: ";
  if (stage.threshold != 0)
    text += std::string(stage.rejected ? "<span class=\"bad\">rejected</span>" : "passed") + ", score " +
            decimal(stage.score) + " against " + decimal(stage.threshold) + (stage.note.empty() ? "" : "; ");
  return text + html(stage.note, 300);
}

Cell trace_cell(const ReplyRow& row) {
  Cell cell;
  for (const StageTrace& stage : row.trace) {
    cell.text += (cell.text.empty() ? "" : " | ") + stage_text(stage);
    cell.markup += (cell.markup.empty() ? "" : "<br>") + stage_markup(stage);
  }
  return cell;
}

}  // namespace

std::string trace_examples(const std::vector<RunRecord>& runs) {
  constexpr size_t kMost = 80;
  std::set<std::string> shown;
  ReportTable table{"stages", {"Defense", "The user asks", "Stages, outermost first", "Reply"}};
  for (const RunRecord& run : runs) {
    for (const ReplyRow& row : run.replies) {
      const bool fresh = !row.trace.empty() && row.split != "train" && row.split != "validation" &&
                         row.condition != "noise" && table.rows.size() < kMost &&
                         shown.insert(row.defense + '\x1f' + row.stack + '\x1f' + row.condition).second;
      if (!fresh) continue;
      Cell defense{clean_text(row.defense, 200)};
      defense.notes = {row.condition};
      table.rows.push_back(
          {defense, {clean_text(row.context.prompt, 300)}, trace_cell(row), reply_cell(row)});
    }
  }
  if (table.rows.empty()) return "";
  table.css = "replies";
  table.caption = "Every reply has its trace in replies.jsonl.";
  return "<details><summary>What each stage saw and did: one example for each defense and kind of "
         "submission</summary>" +
         html_table(table) + "</details>";
}

}  // namespace hijack::report
