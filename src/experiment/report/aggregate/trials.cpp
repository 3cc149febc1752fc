#include "src/experiment/report/aggregate/trials.h"

namespace hijack {

std::string trial_label(const std::vector<RunRecord>& runs, const RunRecord& run, const TrialRow& trial) {
  return runs.size() > 1 ? run.folder.lexically_normal().filename().string() + "/" + trial.id : trial.id;
}

}  // namespace hijack

namespace hijack::report {
namespace {

std::string hash_of(const TrialRow& trial, const std::string& file) {
  const auto found = trial.files.find(file);
  return found == trial.files.end() ? "" : found->second;
}

}  // namespace

std::vector<TrialRef> all_trials(const std::vector<RunRecord>& runs) {
  std::vector<TrialRef> trials;
  for (const RunRecord& run : runs)
    for (const TrialRow& trial : run.trials) trials.push_back({&run, &trial, trial_label(runs, run, trial)});
  return trials;
}

std::vector<Twin> counted_twice(const std::vector<RunRecord>& runs) {
  std::map<std::string, TrialRef> seen;
  std::vector<Twin> twins;
  for (const TrialRef& ref : all_trials(runs)) {
    if (ref.trial->trial_digest.empty()) continue;
    const auto [found, fresh] = seen.emplace(ref.trial->trial_digest, ref);
    if (!fresh) twins.push_back({found->second, ref});
  }
  return twins;
}

std::vector<TrialRef> distinct_trials(const std::vector<RunRecord>& runs) {
  std::vector<TrialRef> trials = all_trials(runs);
  std::set<const TrialRow*> again;
  for (const Twin& twin : counted_twice(runs)) again.insert(twin.again.trial);
  std::erase_if(trials, [&](const TrialRef& ref) { return again.contains(ref.trial); });
  return trials;
}

std::string photo_key(const TrialRow& trial) {
  const std::string hash = hash_of(trial, trial.origin_file);
  return hash.empty() ? trial.source_image : hash;
}

std::string image_key(const TrialRow& trial) {
  std::string key = hash_of(trial, trial.image_file);
  for (const PhotoRow& photo : trial.photos) key += hash_of(trial, photo.image_file);
  return key.empty() ? "" : key + '\n' + trial.suffix;
}

void add(Rate& rate, const TrialRow& trial, int64_t successes, int64_t n, int64_t draws) {
  rate.add(photo_key(trial), trial.seed, successes, n, draws);
}

Tally counted(const TrialRow& trial, const std::string& split) {
  Tally tally = tally_of(trial.success, split);
  if (!trial.budget.respected) tally.exact = tally.substring = 0;
  return tally;
}

Tally control(const TrialRow& trial, const std::string& name) {
  return tally_of(trial.controls, name);
}

}  // namespace hijack::report
