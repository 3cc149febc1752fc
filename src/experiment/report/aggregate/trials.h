#pragma once
#include <string>
#include <vector>

#include "src/experiment/report/values/rate.h"

// Trials of several runs, and which of them are one. Pointers refer to the runs given.

namespace hijack {

/// How a trial is named in a report over `runs`.
std::string trial_label(const std::vector<RunRecord>& runs, const RunRecord& run, const TrialRow& trial);

}  // namespace hijack

namespace hijack::report {

/// A trial with the run it belongs to.
struct TrialRef {
  const RunRecord* run = nullptr;
  const TrialRow* trial = nullptr;
  std::string label;  ///< id; "folder/id" with several runs
};
std::vector<TrialRef> all_trials(const std::vector<RunRecord>& runs);

/// A trial that says nothing new beside another.
struct Twin {
  TrialRef first, again;
};
/// Trials that stand there again (equal trial_digest), within one run or over several: only the first counts.
std::vector<Twin> counted_twice(const std::vector<RunRecord>& runs);
/// all_trials without those.
std::vector<TrialRef> distinct_trials(const std::vector<RunRecord>& runs);

/// Of the photo by its content, where the row has it, else by its name.
std::string photo_key(const TrialRow& trial);
/// Equal for trials that ask with the same adversarial images and the same suffix; empty where the row has no
/// hashes.
std::string image_key(const TrialRow& trial);
/// Adds the trial's tally as a cluster of its own.
void add(Rate& rate, const TrialRow& trial, int64_t successes, int64_t n, int64_t draws = 1);

/// The tally of one trial's split; a trial outside its budget counts as failed: its successes become 0. n = 0
/// when it was not measured.
Tally counted(const TrialRow& trial, const std::string& split);
Tally control(const TrialRow& trial, const std::string& name);

}  // namespace hijack::report
