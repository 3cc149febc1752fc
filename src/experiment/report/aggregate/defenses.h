#pragma once
#include <optional>
#include <string>
#include <vector>

#include "src/experiment/report/aggregate/settings.h"

namespace hijack::report {

/// What one attack does against one defense stack, beside no defense. Held-out contexts only, for the attack
/// and the controls. Nothing is pooled that was not asked in one way: trials of other settings (but for the
/// defense), stacks with other parameters, false-positive rates or calibration prompts, suffixes and adaptive
/// attacks that were searched in another way have rows of their own.
struct DefenseSummary {
  std::string defense;  ///< as the user writes it; "none" = the bare model
  /// What tells the row from others of this defense: "false_positive_rate=0.05", "suffix_steps=60".
  std::string details;
  std::string attack_label;  ///< "string, linf 8/255, steps=60" where several settings were evaluated
  Rate attack, adaptive, noise, clean, text_suffix, text_adaptive;  ///< exact success by condition
  std::map<std::string, Rate> attack_by_trial, adaptive_by_trial;   ///< the first two, by the id of the trial
  Rate clean_kept;       ///< replies to the clean image equal to those without the defense
  Rate benign_correct;   ///< utility questions answered correctly
  Rate benign_rejected;  ///< benign and clean submissions refused
  Rate attack_rejected, text_rejected;
  double seconds_per_reply = 0;  ///< mean; NaN when nothing was timed
  // Against no defense, over the same submissions; absent for "none" and where nothing pairs. The p values
  // are McNemar's, exact, with the contexts as units: over several trials a context counts by the sign of its
  // sum (seeds do not multiply contexts).
  std::optional<double> attack_change;  ///< difference of paired success rates
  std::optional<double> attack_p;
  std::optional<double> text_change, text_p;
  std::optional<double> benign_change, benign_p;
};
/// Empty unless some reply went through a defense, or a victim behind an API was asked. By attack in the
/// order of settings(), then "none" first and the others in order of appearance.
std::vector<DefenseSummary> defenses(const std::vector<RunRecord>& runs);
/// Name and rate of everything measured about one defense, for files.
std::vector<std::pair<const char*, Rate>> named_rates(const DefenseSummary& summary);
/// "perplexity", "perplexity, false_positive_rate=0.05".
std::string defense_label(const DefenseSummary& summary);
/// Several attacks were evaluated: tables need a column for them.
bool several_attacks(const std::vector<DefenseSummary>& all);

}  // namespace hijack::report
