#include <limits>

#include "src/experiment/report/aggregate.h"

namespace hijack::report {
namespace {

/// A submission whatever the defense: the same key means that two replies pair up.
std::string submission_key(size_t run, const ReplyRow& reply) {
  return std::to_string(run) + '\x1f' + reply.trial + '\x1f' + reply.condition + '\x1f' + reply.split +
         '\x1f' + context_key(reply.context) + '\x1f' + reply.expected;
}

/// Numbers the repetitions of a submission under one defense: the same question may be asked about several
/// benign images, and the second asking pairs with the second.
class Occurrences {
 public:
  int operator()(const std::string& defense, const std::string& key) {
    return seen_[defense + '\x1e' + key]++;
  }

 private:
  std::unordered_map<std::string, int> seen_;
};

/// Attacked contexts are asked once; rows that repeat them come from evaluating a run twice.
bool repeated(const ReplyRow& reply, int occurrence) {
  return occurrence > 0 && reply.condition != "benign";
}

bool held_out(const ReplyRow& reply) {
  return reply.split != "train" && reply.split != "validation";
}

struct Keyed {
  std::string key;
  const ReplyRow* reply = nullptr;
};

/// Adaptive trials measure their controls behind the defense again: once is enough.
bool repeats_a_control(const std::set<std::string>& adaptive, const ReplyRow& reply) {
  return reply.condition != "adaptive" && adaptive.contains(reply.trial);
}

/// Every held-out reply with a key that is unique within its defense.
std::vector<Keyed> keyed_replies(const std::vector<RunRecord>& runs) {
  std::vector<Keyed> rows;
  Occurrences occurrences;
  for (size_t run = 0; run < runs.size(); ++run) {
    std::set<std::string> adaptive;
    for (const TrialRow& trial : runs[run].trials)
      if (trial.adaptive) adaptive.insert(trial.id);
    for (const ReplyRow& reply : runs[run].replies) {
      if (!held_out(reply) || repeats_a_control(adaptive, reply)) continue;
      const std::string key = submission_key(run, reply);
      const int occurrence = occurrences(reply.defense, key);
      if (!repeated(reply, occurrence)) rows.push_back({key + '\x1f' + std::to_string(occurrence), &reply});
    }
  }
  return rows;
}

struct Paired {
  int64_t n = 0;
  int64_t only_before = 0;  ///< succeeded without the defense only
  int64_t only_after = 0;
  void add(bool before, bool after) {
    ++n;
    only_before += before && !after;
    only_after += after && !before;
  }
  std::optional<double> change() const {
    if (!n) return std::nullopt;
    return static_cast<double>(only_after - only_before) / static_cast<double>(n);
  }
  std::optional<double> p() const {
    if (!n) return std::nullopt;
    return mcnemar_exact(only_before, only_after);
  }
};

struct Group {
  DefenseSummary summary;
  Paired attack, text, benign;
  double seconds = 0;
  int64_t timed = 0;
};

void count(Group& group, const ReplyRow& reply) {
  DefenseSummary& summary = group.summary;
  const bool success = reply.exact && !reply.rejected;
  if (reply.condition == "attack") summary.attack.add(success), summary.attack_rejected.add(reply.rejected);
  if (reply.condition == "adaptive") summary.adaptive.add(success);
  if (reply.condition == "noise") summary.noise.add(success);
  if (reply.condition == "clean") summary.clean.add(success);
  if (reply.condition == "text_suffix") summary.text_suffix.add(success);
  if (reply.condition == "text_adaptive") summary.text_adaptive.add(success);
  if (reply.condition == "benign") summary.benign_correct.add(reply.correct && !reply.rejected);
  if (reply.condition == "benign" || reply.condition == "clean") summary.benign_rejected.add(reply.rejected);
  if (std::isfinite(reply.seconds) && reply.seconds > 0) group.seconds += reply.seconds, ++group.timed;
}

void compare(Group& group, const ReplyRow& before, const ReplyRow& reply) {
  const auto success = [](const ReplyRow& row) { return row.exact && !row.rejected; };
  if (reply.condition == "attack") group.attack.add(success(before), success(reply));
  if (reply.condition == "text_suffix") group.text.add(success(before), success(reply));
  if (reply.condition == "benign")
    group.benign.add(before.correct && !before.rejected, reply.correct && !reply.rejected);
  if (reply.condition == "clean")
    group.summary.clean_kept.add(!reply.rejected && reply.reply == before.reply);
}

DefenseSummary finish(Group& group) {
  DefenseSummary& summary = group.summary;
  summary.seconds_per_reply = group.timed ? group.seconds / static_cast<double>(group.timed)
                                          : std::numeric_limits<double>::quiet_NaN();
  if (summary.defense == "none") return summary;
  summary.attack_change = group.attack.change();
  summary.attack_p = group.attack.p();
  summary.text_change = group.text.change();
  summary.text_p = group.text.p();
  summary.benign_change = group.benign.change();
  summary.benign_p = group.benign.p();
  return summary;
}

}  // namespace

std::vector<DefenseSummary> defenses(const std::vector<RunRecord>& runs) {
  std::vector<Group> groups(1);
  groups[0].summary.defense = "none";
  std::map<std::string, size_t> index{{"none", 0}};
  std::unordered_map<std::string, const ReplyRow*> undefended;
  const std::vector<Keyed> rows = keyed_replies(runs);
  for (const Keyed& row : rows)
    if (row.reply->defense == "none") undefended.emplace(row.key, row.reply);
  for (const auto& [key, reply] : rows) {
    const auto [found, is_new] = index.emplace(reply->defense, groups.size());
    if (is_new) groups.emplace_back().summary.defense = reply->defense;
    Group& group = groups[found->second];
    count(group, *reply);
    const auto before = undefended.find(key);
    if (before != undefended.end()) compare(group, *before->second, *reply);
  }
  std::vector<DefenseSummary> result;
  if (groups.size() == 1) return result;
  for (Group& group : groups) result.push_back(finish(group));
  return result;
}

}  // namespace hijack::report
