#pragma once
#include "src/experiment/report/aggregate/trials.h"

// Which replies of the runs a summary of defenses counts, and what each belongs to.

namespace hijack::report {

/// A held-out reply that counts.
struct Asked {
  const ReplyRow* reply = nullptr;
  const TrialRow* trial = nullptr;  ///< null where the runs do not hold it
  const RunRecord* run = nullptr;
  /// Equal for trials that differ in nothing but seed, photo and defense, and replies that were drawn alike.
  std::string attack;
  std::string model;    ///< of the trial
  std::string stack;    ///< digest of its record; "none", or the name where there is no record
  std::string variant;  ///< of what was searched with other settings: a suffix or an adaptive image
  /// The same submission whatever the defense: two replies with one key pair up.
  std::string pair = {};
  std::string question = {};  ///< the same without which draw of its replies
  size_t place = 0;           ///< of its context among those of one trial, condition and stack
};

/// Whether a victim behind an API was asked in place of the trial's model: such rows name it, as those of
/// transfer name theirs.
bool asked_of_victim(const ReplyRow& reply);
/// "asked of http://127.0.0.1:8000/v1#MODEL"; "" for the replies of a trial's own model.
std::string whom_asked(const ReplyRow& reply);

/// All of them, each question once: what a trial that is counted twice asked, and what was asked again, is
/// left out; the clean image of a photo counts once, whatever the seed; and of trials with one adversarial
/// image only the first. Pointers refer to `runs`.
/// Questions about a test set's own pictures, which belong to no attack, only where they are wanted.
std::vector<Asked> asked_once(const std::vector<RunRecord>& runs, bool own_pictures = false);

/// Replies that stand in the rows again: (run, row) of those after the first.
std::vector<std::pair<const RunRecord*, const ReplyRow*>> repeated_replies(
    const std::vector<RunRecord>& runs);

/// What the manifest's "stacks" say of the defenses in front of a reply, without what differs between
/// attacked photos (the photos themselves are kept out of the calibration). Null where they say nothing.
nlohmann::json stack_record(const RunRecord& run, const ReplyRow& reply);

/// Stands in Asked::attack and Asked::model before how replies were drawn; greedy ones have nothing there.
inline constexpr char kDrawn = '\n';

/// Asked::attack of a trial, however its replies are drawn.
std::string attack_key(const TrialRow& trial);

/// Equal for equal contexts.
std::string context_key(const Query& context);

}  // namespace hijack::report
