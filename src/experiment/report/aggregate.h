#pragma once
#include <optional>
#include <string>
#include <vector>

#include "src/experiment/results.h"
#include "src/experiment/statistics.h"

// What the tables and charts of a report show, computed from rows once. Pointers refer to the runs given.

namespace hijack::report {

struct Rate {
  int64_t successes = 0;
  int64_t n = 0;
  double value() const;  ///< NaN when n = 0
  Interval interval() const { return wilson_interval(successes, n); }
  void add(bool success) { successes += success, ++n; }
};

/// A trial with the run it belongs to.
struct TrialRef {
  const RunRecord* run = nullptr;
  const TrialRow* trial = nullptr;
  std::string label;  ///< id; "folder/id" with several runs
};
std::vector<TrialRef> all_trials(const std::vector<RunRecord>& runs);

/// Tallies by split or control, pooled. A trial outside its budget counts as failed: its successes become 0.
using Tallies = std::map<std::string, Tally>;
/// n = 0 when there is none of that name.
Tally tally_of(const Tallies& tallies, const std::string& name);
/// "97% (90–99%)"; "–" when n = 0.
std::string shown(const Rate& rate);
/// Exact success.
std::string shown(const Tallies& tallies, const std::string& name);
/// The tally of one trial's split, with that rule applied. n = 0 when it was not measured.
Tally counted(const TrialRow& trial, const std::string& split);
Tally control(const TrialRow& trial, const std::string& name);

/// The constraint without "(model input space)", which the threat model states once.
std::string short_constraint(const std::string& constraint);

/// Trials that differ only in seed and photo.
struct Setting {
  std::string model, behavior, constraint, constraint_name, optimizer;
  std::string defense;    ///< in front of the model; "none"
  bool adaptive = false;  ///< the attack knew it
  double epsilon_255 = 0;
  int64_t patch_size = 0;
  std::vector<TrialRef> trials;
  Tallies success;   ///< by split
  Tallies controls;  ///< by control
  /// Of other models that were shown the saved images: "attack", "clean", "noise", by the model's name.
  std::map<std::string, Tallies> transfer = {};
  std::vector<double> seed_rates;  ///< exact success on test contexts of each seed, pooled over photos
  double seconds_per_step = 0;     ///< median over trials
};
/// Ordered by defense ("none" first), model, behavior, constraint name, and its size.
std::vector<Setting> settings(const std::vector<RunRecord>& runs);
/// Those against the bare model; all of them where there are none.
std::vector<Setting> bare_settings(const std::vector<RunRecord>& runs);
/// "linf 8/255", "linf 8/255, adaptive to jpeg:quality=75", "linf 8/255, behind jpeg:quality=75".
std::string setting_label(const Setting& setting);

/// What a setting's images do on one model.
struct Transfer {
  const Setting* setting = nullptr;
  std::string model;       ///< that was asked
  bool optimized = false;  ///< the images were made with it
  Rate attack, clean, noise;
};
/// Of the settings whose images were shown to other models: first the model they were made with, then the
/// others. Pointers refer to `settings`.
std::vector<Transfer> transfers(const std::vector<Setting>& settings);

/// One defense stack beside no defense, over all runs. Held-out contexts only, for the attack and the
/// controls.
struct DefenseSummary {
  std::string defense;
  Rate attack, adaptive, noise, clean, text_suffix, text_adaptive;  ///< exact success by condition
  Rate clean_kept;       ///< replies to the clean image equal to those without the defense
  Rate benign_correct;   ///< utility questions answered correctly
  Rate benign_rejected;  ///< benign and clean submissions refused
  Rate attack_rejected;
  double seconds_per_reply = 0;  ///< mean; NaN when nothing was timed
  // Against no defense, over the same submissions; absent for "none" and where nothing pairs.
  std::optional<double> attack_change;  ///< difference of paired success rates
  std::optional<double> attack_p;       ///< McNemar, exact
  std::optional<double> text_change, text_p;
  std::optional<double> benign_change, benign_p;
};
/// Empty unless some reply went through a defense. "none" first, then in order of appearance.
std::vector<DefenseSummary> defenses(const std::vector<RunRecord>& runs);

/// Equal for equal contexts.
std::string context_key(const Query& context);

/// What the model said to one held-out context, on both images.
struct ContextReplies {
  const ReplyRow* attack = nullptr;
  const ReplyRow* clean = nullptr;  ///< null when it was not asked
};
/// The trial's own replies (undefended unless it attacked a defended model) on test contexts, in the order of
/// the rows.
std::vector<ContextReplies> held_out_replies(const TrialRef& trial);

/// Mean Levenshtein distance between undefended held-out replies and the target (Bailey et al. 2023). Absent
/// for behaviors whose target is only the start of a reply or comes from a model, and without replies.
std::optional<double> mean_edit_distance(const TrialRef& trial);

/// Strings of the manifest that are SHA-256 sums, with the path of keys that leads there.
struct Digest {
  std::string what;
  std::string sha256;
};
std::vector<Digest> digests(const nlohmann::json& manifest);

/// One sentence that states the result and its controls.
std::string headline(const std::vector<RunRecord>& runs);

}  // namespace hijack::report
