#include "src/experiment/report/aggregate/encoders.h"

#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

/// Means over the trials that have the encoder.
class Sums {
 public:
  void add(const TrialRow& trial, const EncoderRow& row) {
    for (const auto& [sum, value] : {std::pair(&EncoderSummary::attack, row.attack),
                                     {&EncoderSummary::clean, row.clean},
                                     {&EncoderSummary::noise, row.noise},
                                     {&EncoderSummary::attack_to_clean, row.attack_to_clean},
                                     {&EncoderSummary::noise_to_clean, row.noise_to_clean}})
      summary_.*sum += value;
    ++trials_;
    steps_ += static_cast<double>(row.steps);
    if (std::isnan(row.attack)) return;
    report::add(summary_.attack_nearer, trial, trial.budget.respected ? row.attack_nearer : 0, row.n);
    report::add(summary_.noise_nearer, trial, row.noise_nearer, row.n);
  }
  EncoderSummary mean(const Setting& setting, const EncoderRow& row) const {
    EncoderSummary one = summary_;
    for (double EncoderSummary::*sum :
         {&EncoderSummary::attack, &EncoderSummary::clean, &EncoderSummary::noise,
          &EncoderSummary::attack_to_clean, &EncoderSummary::noise_to_clean})
      one.*sum /= trials_;
    if (row.steps >= 0) one.steps = steps_ / trials_;
    one.setting = &setting;
    one.encoder = row.encoder;
    one.held_out = row.held_out;
    one.photos = row.photos;
    return one;
  }

 private:
  EncoderSummary summary_;
  double trials_ = 0, steps_ = 0;
};

}  // namespace

std::vector<EncoderSummary> encoder_summaries(const std::vector<Setting>& settings) {
  std::vector<EncoderSummary> all;
  for (const Setting& setting : settings)
    for (const EncoderRow& row : setting.trials.front().trial->encoders) {
      Sums sums;
      for (const TrialRef& ref : setting.trials)
        for (const EncoderRow& one : ref.trial->encoders)
          if (one.encoder == row.encoder && one.held_out == row.held_out && one.photos == row.photos)
            sums.add(*ref.trial, one);
      all.push_back(sums.mean(setting, row));
    }
  return all;
}

std::string role_of(const EncoderSummary& summary) {
  return std::string(summary.held_out ? "held out" : "surrogate") +
         (summary.photos.empty() ? "" : ", " + summary.photos + " photos");
}

bool some_were_chosen(const std::vector<EncoderSummary>& all) {
  return std::any_of(all.begin(), all.end(),
                     [](const EncoderSummary& one) { return !std::isnan(one.steps); });
}

bool asked_nobody(const TrialRow& trial) {
  return trial.behavior == "resemble";
}

std::string encoders_headline(const std::vector<EncoderSummary>& all) {
  const auto reached = [&](bool held_out) {
    int64_t nearer = 0, n = 0;
    double kept = 0, count = 0;
    for (const EncoderSummary& one : all) {
      if (one.held_out != held_out) continue;
      nearer += one.attack_nearer.successes, n += one.attack_nearer.n;
      kept += one.attack_to_clean, ++count;
    }
    if (n > 0)
      return "nearer to the target than to the clean photo in " + std::to_string(nearer) + " of " +
             std::to_string(n) + " measurements";
    return count > 0 ? "at a mean cosine of " + decimal(kept / count) + " to the clean photo"
                     : std::string("not measured");
  };
  return "For the encoders that they were made with, images are " + reached(false) + "; for others " +
         reached(true) + ".";
}

}  // namespace hijack::report
