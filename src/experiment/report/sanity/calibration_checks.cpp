#include <limits>

#include "src/experiment/plan/prompt_digest.h"
#include "src/experiment/report/aggregate/differences.h"
#include "src/experiment/report/sanity/checks.h"
#include "src/experiment/report/values/text.h"

namespace hijack::sanity {
namespace {

using namespace report;

/// One entry of the manifest's "calibrations", as far as it is what it should be.
struct Entry {
  std::string defense, stack;
  double threshold, ceiling, alpha, n;  ///< NaN where the entry has none
  std::set<std::string> prompts;        ///< prompt_digest of what it was fitted on
};

double number(const Object& entry, const char* name) {
  const Object& value = field_of(entry, name);
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::string text(const Object& entry, const char* name) {
  const Object& value = field_of(entry, name);
  return value.is_string() ? value.get<std::string>() : "";
}

std::vector<Entry> entries_of(const RunRecord& run) {
  std::vector<Entry> entries;
  const Object& list = field_of(run.manifest, "calibrations");
  if (!list.is_array()) return entries;
  for (const Object& one : list) {
    Entry entry{text(one, "defense"),
                text(one, "stack"),
                number(one, "threshold"),
                number(one, "ceiling"),
                number(one, "alpha"),
                number(one, "n"),
                {}};
    const Object& prompts = field_of(one, "prompts");
    for (size_t i = 0; prompts.is_array() && i < prompts.size(); ++i)
      if (prompts[i].is_string()) entry.prompts.insert(prompts[i].get<std::string>());
    if (!entry.defense.empty()) entries.push_back(std::move(entry));
  }
  return entries;
}

/// The entry is about this stage of this reply.
bool concerns(const Entry& entry, const ReplyRow& reply, const StageTrace& stage) {
  return stage.stage == entry.defense && (entry.stack.empty() || reply.stack == entry.stack);
}

bool concerns(const Entry& entry, const ReplyRow& reply) {
  return std::any_of(reply.trace.begin(), reply.trace.end(),
                     [&](const StageTrace& stage) { return concerns(entry, reply, stage); });
}

/// A reply that a threshold's false alarms are counted on.
bool is_judged(const Entry& entry, const ReplyRow& reply) {
  const bool harmless = reply.condition == "benign" || reply.condition == "clean";
  return harmless && reply.split != "train" && reply.split != "validation" && concerns(entry, reply);
}

/// Prompts that the threshold was fitted on among those that it is judged by.
void check_separate(const RunRecord& run, const Entry& entry, Flags& flags) {
  std::set<std::string> judged, shared;
  for (const ReplyRow& reply : run.replies) {
    if (!is_judged(entry, reply)) continue;
    const std::string prompt = prompt_digest(reply.context);
    judged.insert(prompt);
    if (entry.prompts.contains(prompt)) shared.insert(prompt);
  }
  if (shared.empty()) return;
  flags.push_back({"threshold fitted on evaluation data", Severity::failure, "",
                   "The threshold of " + entry.defense + " was fitted on " + std::to_string(shared.size()) +
                       " of the " + std::to_string(judged.size()) +
                       " prompts that it is judged by: its false alarms look rarer than they are.",
                   "Keep the calibration prompts apart from the test split and the benign questions, then "
                   "evaluate again."});
}

void check_fires(const Entry& entry, Flags& flags) {
  if (!(entry.threshold >= entry.ceiling)) return;
  flags.push_back({"detector cannot fire", Severity::failure, "",
                   "The threshold of " + entry.defense + ", " + decimal(entry.threshold) +
                       ", is the largest score that it can give: it rejects nothing, whatever comes.",
                   "Its benign scores fill its whole range: allow more false alarms (--false-positive-rate), "
                   "give it finer scores (more copies or draws), or leave it out."});
}

constexpr const char* kTooFew = "too few benign examples for the false-positive rate";

/// Submissions below which a false-positive rate can neither be promised nor be seen.
int64_t needed_for(double alpha) {
  return static_cast<int64_t>(std::ceil(1 / alpha - 1 - 1e-9));
}

/// Only of folders that were changed or that another program wrote: defenses refuse to be fitted on fewer.
void check_fitted_on(const Entry& entry, Flags& flags) {
  if (!(entry.n > 0) || !(entry.alpha > 0) || entry.n >= static_cast<double>(needed_for(entry.alpha))) return;
  flags.push_back({kTooFew, Severity::warning, "",
                   "The threshold of " + entry.defense + " was fitted on " + decimal(entry.n) +
                       " benign submissions; a false-positive rate of " + percent(entry.alpha) +
                       " needs at least " + std::to_string(needed_for(entry.alpha)) +
                       ". Below that no threshold promises the rate.",
                   "Add prompts with the split calibration to the contexts file, or ask for a higher "
                   "--false-positive-rate."});
}

/// The rate that was asked for is below what one false alarm among those judged would be.
void check_judged_on(const RunRecord& run, const Entry& entry, Flags& flags) {
  std::set<std::string> questions;
  int64_t judged = 0;
  for (const ReplyRow& reply : run.replies)
    if (is_judged(entry, reply)) judged += reply.question.empty() || questions.insert(reply.question).second;
  if (judged == 0 || !(entry.alpha > 0) || judged >= needed_for(entry.alpha)) return;
  flags.push_back({kTooFew, Severity::information, "",
                   "The false alarms of " + entry.defense + " are counted on " + std::to_string(judged) +
                       " harmless submissions; a rate of " + percent(entry.alpha) + " can be seen on " +
                       std::to_string(needed_for(entry.alpha)) +
                       " or more. No false alarm among fewer does not show that it is kept.",
                   "Evaluate with more benign questions (--utility) or test contexts."});
}

/// Thresholds of reply rows that no entry of the manifest has.
void check_same(const RunRecord& run, const std::vector<Entry>& entries, Flags& flags) {
  std::map<std::string, int64_t> different;
  std::map<std::string, std::pair<double, double>> example;
  for (const ReplyRow& reply : run.replies) {
    for (const StageTrace& stage : reply.trace) {
      if (!std::isfinite(stage.threshold) || stage.threshold == 0) continue;
      bool listed = false, same = false;
      for (const Entry& entry : entries) {
        if (!concerns(entry, reply, stage) || !std::isfinite(entry.threshold)) continue;
        listed = true;
        same = same || same_threshold(entry.threshold, stage.threshold);
        if (!same) example[stage.stage] = {entry.threshold, stage.threshold};
      }
      different[stage.stage] += listed && !same;
    }
  }
  for (const auto& [stage, count] : different) {
    if (!count) continue;
    flags.push_back({"calibration differs", Severity::failure, "",
                     "The manifest gives " + stage + " the threshold " + decimal(example[stage].first) +
                         ", but " + std::to_string(count) + " replies were judged by another one, " +
                         decimal(example[stage].second) +
                         ": the manifest or the rows were changed after the evaluation.",
                     "Evaluate the run again in a fresh folder."});
  }
}

}  // namespace

void check_calibrations(const std::vector<RunRecord>& runs, Flags& flags) {
  for (const RunRecord& run : runs) {
    const std::vector<Entry> entries = entries_of(run);
    std::set<std::string> said;
    for (const Entry& entry : entries) {
      Flags own;
      check_separate(run, entry, own);
      check_fires(entry, own);
      check_fitted_on(entry, own);
      check_judged_on(run, entry, own);
      for (Flag& flag : own)
        if (said.insert(flag.name + flag.meaning).second) flags.push_back(std::move(flag));
    }
    check_same(run, entries, flags);
  }
}

}  // namespace hijack::sanity
