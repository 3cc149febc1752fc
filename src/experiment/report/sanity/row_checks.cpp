#include "src/experiment/plan/identity.h"
#include "src/experiment/report/aggregate/asked.h"
#include "src/experiment/report/aggregate/differences.h"
#include "src/experiment/report/sanity/checks.h"
#include "src/experiment/report/values/text.h"

namespace hijack::sanity {
namespace {

using namespace report;

void check_damage(const RunRecord& run, Flags& flags) {
  for (const std::string& sentence : run.damage)
    flags.push_back({"row cut off", Severity::information, "", sentence + ".",
                     "The run was killed while it wrote; --resume makes the row again."});
}

void check_setting(const TrialRef& ref, Flags& flags) {
  const TrialRow& trial = *ref.trial;
  if (trial.setting_digest.empty() || !trial.setting.is_object()) {
    flags.push_back({"setting not recorded", Severity::failure, ref.label,
                     "The row does not say with which settings and weights it was made; it is pooled with no "
                     "other.",
                     "Run the trial again with this version."});
  } else if (digest_of(trial.setting) != trial.setting_digest) {
    flags.push_back({"row was changed", Severity::failure, ref.label,
                     "The digest of the row's setting is not that of its fields: the row was edited.",
                     "Run the trial again."});
  }
}

void check_twice(const std::vector<RunRecord>& runs, Flags& flags) {
  for (const Twin& twin : counted_twice(runs))
    flags.push_back({"counted twice", Severity::warning, twin.again.label,
                     "The trial is the same as " + twin.first.label +
                         " (setting, seed and photo): the second row is left out of every rate.",
                     "Give each run folder once, and other seeds for further evidence."});
  std::map<const RunRecord*, std::pair<int64_t, const ReplyRow*>> repeated;
  for (const auto& [run, reply] : repeated_replies(runs)) {
    auto& [count, example] = repeated[run];
    if (!count++) example = reply;
  }
  for (const RunRecord& run : runs) {
    const auto found = repeated.find(&run);
    if (found == repeated.end()) continue;
    const auto& [count, example] = found->second;
    flags.push_back(
        {"counted twice", Severity::warning, example->trial,
         std::to_string(count) +
             " replies stand in the rows again: the same question to the same "
             "model behind the same defense, first \"" +
             clean_text(example->context.prompt, 80) + "\" (" + example->condition + ", " + example->split +
             "). Tables of defenses count each once; the trial's own tallies count "
             "a prompt as often as the contexts file has it.",
         "Take prompts that stand twice out of the contexts file, and rows out of replies.jsonl."});
  }
}

/// Tallies by name, as replies say.
using Recount = std::map<std::string, Tally>;

struct Recounts {
  Recount success, controls;
  std::map<std::string, Recount> transfer;
};

void count(Tally& tally, const ReplyRow& reply) {
  ++tally.n;
  tally.exact += reply.exact && !reply.rejected;
  tally.substring += reply.substring && !reply.rejected;
}

void count(Recounts& recounts, const TrialRow& trial, const ReplyRow& reply) {
  if (reply.sampling != trial.sampling) return;  // of an evaluation that drew in its own way
  const std::string& kind = reply.condition;
  if (asked_of_victim(reply)) return;
  constexpr std::string_view kTransfer = "transfer_";
  if (!reply.model.empty())
    count(recounts
              .transfer[reply.model][kind.starts_with(kTransfer) ? kind.substr(kTransfer.size()) : "attack"],
          reply);
  else if (reply.defense == trial.defense && kind == attack_condition(trial))
    count(recounts.success[reply.split], reply);
  else if (reply.defense == trial.defense && (kind == "clean" || kind == "noise"))
    count(recounts.controls[kind], reply);
}

/// "test: 50 of 50 in the row, 20 of 50 in the replies"; empty where they agree. What has no replies at all
/// is not compared.
std::string difference(const std::map<std::string, Tally>& row, const Recount& recount,
                       const std::string& of) {
  const auto shown = [](const Tally& tally) {
    return std::to_string(tally.exact) + " of " + std::to_string(tally.n);
  };
  for (const auto& [name, tally] : recount) {
    const Tally said = tally_of(row, name);
    if (said.n != tally.n || said.exact != tally.exact || said.substring != tally.substring)
      return of + name + ": " + shown(said) + " in the row (contained " + std::to_string(said.substring) +
             "), " + shown(tally) + " in the replies (contained " + std::to_string(tally.substring) + ")";
  }
  for (const auto& [name, tally] : row)
    if (!recount.empty() && tally.n && !recount.contains(name))
      return of + name + ": " + shown(tally) + " in the row, no replies";
  return "";
}

std::string difference(const TrialRow& trial, const Recounts& recounts) {
  std::string found = difference(trial.success, recounts.success, "");
  if (found.empty()) found = difference(trial.controls, recounts.controls, "");
  for (const auto& [model, tallies] : recounts.transfer) {
    const auto row = trial.transfer.find(model);
    if (found.empty())
      found = difference(row == trial.transfer.end() ? Recount{} : row->second, tallies, model + ", ");
  }
  return found;
}

/// Replies of each trial by its id, all of them and without those that stand there again.
struct Counted {
  Recounts all, once;
};

void check_recount(const std::vector<RunRecord>& runs, const RunRecord& run, Flags& flags) {
  if (field_of(run.manifest, "replies_sampled") == true) return;  // not all were kept
  std::map<std::string, const TrialRow*> trials;
  for (const TrialRow& trial : run.trials) trials.emplace(trial.id, &trial);
  std::set<const ReplyRow*> again;
  for (const auto& [of, reply] : repeated_replies(runs)) again.insert(reply);
  std::map<std::string, Counted> counted;
  for (const ReplyRow& reply : run.replies) {
    const auto trial = trials.find(reply.trial);
    if (trial == trials.end()) continue;
    Counted& own = counted[reply.trial];
    count(own.all, *trial->second, reply);
    if (!again.contains(&reply)) count(own.once, *trial->second, reply);
  }
  for (const TrialRow& trial : run.trials) {
    const Counted& own = counted[trial.id];
    const std::string found = difference(trial, own.all);
    if (found.empty() || difference(trial, own.once).empty()) continue;
    flags.push_back({"row does not match its replies", Severity::failure, trial_label(runs, run, trial),
                     "The row's tallies are not those of its replies (" + found +
                         "): trials.jsonl or replies.jsonl was changed after the run.",
                     "Run the trial again."});
  }
}

/// A reply that ends at the limit may have gone on to something else.
void check_cut(const std::vector<RunRecord>& runs, const RunRecord& run, Flags& flags) {
  constexpr double kSome = 0.05;
  std::map<std::string, const TrialRow*> trials;
  for (const TrialRow& trial : run.trials) trials.emplace(trial.id, &trial);
  std::map<std::string, std::map<std::string, Tally>> cut;  // by trial and condition
  for (const ReplyRow& reply : run.replies) {
    const std::string whom = whom_asked(reply).empty() ? "" : " " + whom_asked(reply);
    Tally& tally = cut[reply.trial]
                      [reply.condition + (reply.defense == "none" ? "" : " behind " + reply.defense) + whom];
    ++tally.n;
    tally.exact += reply.cut;
  }
  for (const auto& [id, conditions] : cut) {
    std::string shares;
    for (const auto& [condition, tally] : conditions)
      if (static_cast<double>(tally.exact) > kSome * static_cast<double>(tally.n))
        shares += (shares.empty() ? "" : ", ") + condition + " " + counted_text(tally.exact, tally.n);
    if (shares.empty()) continue;
    const auto found = trials.find(id);
    const std::string limit = found != trials.end() && found->second->reply_tokens > 0
                                  ? " of " + std::to_string(found->second->reply_tokens) + " tokens"
                                  : "";
    flags.push_back({"replies cut at the length limit", Severity::warning,
                     found == trials.end() ? id : trial_label(runs, run, *found->second),
                     "Replies end at the limit" + limit + ": " + shares +
                         ". What the model would have gone on to say is not judged.",
                     "Raise --max-new-tokens until replies end by themselves."});
  }
}

}  // namespace

std::string counted_text(int64_t successes, int64_t n) {
  const Rate rate{successes, n};
  return percent(n ? rate.value() : 0) + " (" + std::to_string(successes) + " of " + std::to_string(n) + ")";
}

std::string counted_text(const Rate& rate) {
  const std::string parts = disagreement(rate);
  return percent(rate.n ? rate.value() : 0) + " (" + std::to_string(rate.successes) + " of " +
         std::to_string(rate.n) + (parts.empty() ? "" : "; " + parts) + ")";
}

void check_rows(const std::vector<RunRecord>& runs, Flags& flags) {
  for (const RunRecord& run : runs) check_damage(run, flags);
  for (const TrialRef& ref : all_trials(runs)) check_setting(ref, flags);
  check_twice(runs, flags);
  for (const RunRecord& run : runs) {
    check_recount(runs, run, flags);
    check_cut(runs, run, flags);
  }
}

}  // namespace hijack::sanity
