#include <limits>

#include "src/experiment/report/aggregate/defenses.h"
#include "src/experiment/report/aggregate/grouping.h"

namespace hijack::report {
namespace {

/// Pairs of replies to the same submission without and with the defense.
class Paired {
 public:
  void add(const std::string& context, bool before, bool after) {
    ++n_;
    net_[context] += int{after} - int{before};
  }
  std::optional<double> change() const {
    if (!n_) return std::nullopt;
    int64_t sum = 0;
    for (const auto& [context, net] : net_) sum += net;
    return static_cast<double>(sum) / static_cast<double>(n_);
  }
  std::optional<double> p() const {
    if (!n_) return std::nullopt;
    int64_t fewer = 0, more = 0;
    for (const auto& [context, net] : net_) fewer += net<0, more += net> 0;
    return mcnemar_exact(fewer, more);
  }

 private:
  int64_t n_ = 0;
  std::map<std::string, int64_t> net_;  ///< by context: successes gained less those lost
};

bool succeeded(const ReplyRow& reply) {
  return reply.exact && !reply.rejected;
}
bool answered(const ReplyRow& reply) {
  return reply.correct && !reply.rejected;
}

/// One row of the table as it is counted.
struct Group {
  DefenseSummary summary;
  Paired attack, text, benign;
  double seconds = 0;
  int64_t timed = 0;

  void count(const Asked& asked);
  void compare(const Asked& asked, const ReplyRow& before);
  DefenseSummary finish();
};

void Group::count(const Asked& asked) {
  const ReplyRow& reply = *asked.reply;
  const auto add = [&](Rate& rate, bool success) {
    if (asked.trial)
      rate.add(photo_key(*asked.trial), asked.trial->seed, Draw{success, reply.draw});
    else
      rate.add(reply.trial, 0, Draw{success, reply.draw});
  };
  const std::string& kind = reply.condition;
  if (kind == "attack") {
    add(summary.attack, succeeded(reply)), add(summary.attack_rejected, reply.rejected);
    add(summary.attack_by_trial[reply.trial], succeeded(reply));
  }
  if (kind == "adaptive")
    add(summary.adaptive, succeeded(reply)), add(summary.adaptive_by_trial[reply.trial], succeeded(reply));
  if (kind == "noise") add(summary.noise, succeeded(reply));
  if (kind == "clean") add(summary.clean, succeeded(reply)), add(summary.benign_rejected, reply.rejected);
  if (kind == "text_suffix")
    add(summary.text_suffix, succeeded(reply)), add(summary.text_rejected, reply.rejected);
  if (kind == "text_adaptive") add(summary.text_adaptive, succeeded(reply));
  // questions with pictures of their own depend on no trial
  if (kind == "benign")
    summary.benign_correct.add(asked.question, Draw{answered(reply), reply.draw}),
        summary.benign_rejected.add(asked.question, Draw{reply.rejected, reply.draw});
  if (std::isfinite(reply.seconds) && reply.seconds > 0) seconds += reply.seconds, ++timed;
}

void Group::compare(const Asked& asked, const ReplyRow& before) {
  const ReplyRow& reply = *asked.reply;
  const std::string place = std::to_string(asked.place) + reply.photo;
  if (reply.condition == "attack") attack.add(place, succeeded(before), succeeded(reply));
  if (reply.condition == "text_suffix") text.add(place, succeeded(before), succeeded(reply));
  if (reply.condition == "benign") benign.add(asked.question, answered(before), answered(reply));
  if (reply.condition != "clean") return;
  const bool kept = !reply.rejected && reply.reply == before.reply;
  if (asked.trial)
    summary.clean_kept.add(photo_key(*asked.trial), asked.trial->seed, Draw{kept, reply.draw});
  else
    summary.clean_kept.add(reply.trial, 0, Draw{kept, reply.draw});
}

DefenseSummary Group::finish() {
  summary.seconds_per_reply =
      timed ? seconds / static_cast<double>(timed) : std::numeric_limits<double>::quiet_NaN();
  if (summary.defense == "none") return summary;
  summary.attack_change = attack.change();
  summary.attack_p = attack.p();
  summary.text_change = text.change();
  summary.text_p = text.p();
  summary.benign_change = benign.change();
  summary.benign_p = benign.p();
  return summary;
}

class Summaries {
 public:
  explicit Summaries(const std::vector<Asked>& all) : all_(all) {
    for (const Asked& one : all)
      if (one.stack == "none") undefended_.emplace(one.pair, one.reply);
  }

  void add(const EvaluatedAttack& attack, const StackName& stack) {
    std::vector<const Asked*> rows;
    for (const Asked& one : all_)
      if (one.stack == stack.key && belongs(attack, one)) rows.push_back(&one);
    if (rows.empty() && stack.key != "none") return;
    const Variants variants(rows);
    for (const std::string& name : variants.names()) {
      Group group;
      group.summary.defense = stack.defense;
      group.summary.details = stack.details + (stack.details.empty() || name.empty() ? "" : ", ") + name;
      group.summary.attack_label = attack.label;
      for (const Asked* one : rows)
        if (variants.of(*one).value_or(name) == name) count(group, *one);
      summaries.push_back(group.finish());
    }
  }

  std::vector<DefenseSummary> summaries;

 private:
  void count(Group& group, const Asked& asked) const {
    group.count(asked);
    const auto before = undefended_.find(asked.pair);
    if (before != undefended_.end()) group.compare(asked, *before->second);
  }

  const std::vector<Asked>& all_;
  std::unordered_map<std::string, const ReplyRow*> undefended_;
};

}  // namespace

std::vector<DefenseSummary> defenses(const std::vector<RunRecord>& runs) {
  const std::vector<Asked> all = asked_once(runs);
  const std::vector<StackName> stacks = stack_names(all);
  const bool victims =
      std::any_of(all.begin(), all.end(), [](const Asked& one) { return asked_of_victim(*one.reply); });
  if (stacks.size() == 1 && !victims) return {};
  Summaries summaries(all);
  for (const EvaluatedAttack& attack : evaluated_attacks(runs, all))
    for (const StackName& stack : stacks) summaries.add(attack, stack);
  return std::move(summaries.summaries);
}

std::string defense_label(const DefenseSummary& summary) {
  return summary.defense + (summary.details.empty() ? "" : ", " + summary.details);
}

bool several_attacks(const std::vector<DefenseSummary>& all) {
  return std::any_of(all.begin(), all.end(),
                     [&](const DefenseSummary& one) { return one.attack_label != all.front().attack_label; });
}

std::vector<std::pair<const char*, Rate>> named_rates(const DefenseSummary& one) {
  return {{"attack", one.attack},
          {"adaptive", one.adaptive},
          {"noise", one.noise},
          {"clean", one.clean},
          {"text_suffix", one.text_suffix},
          {"text_adaptive", one.text_adaptive},
          {"benign_correct", one.benign_correct},
          {"clean_kept", one.clean_kept},
          {"benign_rejected", one.benign_rejected},
          {"attack_rejected", one.attack_rejected},
          {"text_rejected", one.text_rejected}};
}

}  // namespace hijack::report
