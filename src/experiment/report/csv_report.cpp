#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/aggregate/encoders.h"
#include "src/experiment/report/aggregate/judged.h"
#include "src/experiment/report/aggregate/own_pictures.h"
#include "src/experiment/report/aggregate/probed.h"
#include "src/experiment/report/aggregate/survival.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/values/text.h"

// The rates as lines of CSV.

namespace hijack {
namespace {

using namespace report;

std::string all_differences(const Setting& setting) {
  std::string text;
  for (const Difference& one : setting.differences) text += (text.empty() ? "" : ", ") + one.label;
  return text;
}

std::string rate_fields(const std::string& measure, const Rate& rate) {
  const Interval interval = rate.interval();
  return ',' + csv(measure) + ',' + std::to_string(rate.successes) + ',' + std::to_string(rate.n) + ',' +
         exact_number(rate.value()) + ',' + exact_number(interval.low) + ',' + exact_number(interval.high) +
         ',' + csv(disagreement(rate)) + '\n';
}

std::string setting_rows(const Setting& setting) {
  std::string out;
  const std::string key = "settings," + csv(setting.model) + ',' + csv(setting.behavior) + ',' +
                          csv(setting.constraint) + ',' + csv(setting.optimizer) + ',' +
                          csv(all_differences(setting)) + ',' + exact_number(setting.epsilon_255) + ',' +
                          std::to_string(setting.patch_size) + "," + csv(setting.defense);
  const std::string kind = setting.adaptive ? "adaptive " : "";
  const auto add = [&](const Pools& pools, const std::string& prefix) {
    for (const auto& [name, pooled] : pools) {
      out += key + rate_fields(prefix + name + " exact", pooled.exact);
      out += key + rate_fields(prefix + name + " contained", pooled.substring);
    }
  };
  add(setting.success, kind);
  add(setting.controls, kind + "control ");
  for (const auto& [model, pools] : setting.transfer) add(pools, kind + "transfer to " + model + " ");
  return out;
}

/// What was measured beside success and defenses.
std::string further_rows(const std::vector<RunRecord>& runs, const std::vector<Setting>& all) {
  std::string out;
  for (const EncoderSummary& one : encoder_summaries(all))
    if (one.attack_nearer.n)
      out += "encoders," + csv(one.setting->model) + ',' + csv(one.setting->behavior) + ',' +
             csv(one.setting->constraint) + ",,,,," + csv("none") +
             rate_fields(one.encoder + " (" + role_of(one) + ") nearer", one.attack_nearer);
  for (const Survival& one : survivals(runs))
    for (const auto& [name, rate] : one.success)
      out += "survival,,," + csv(one.trial.label) + ",,,,," + csv("none") + rate_fields(name, rate);
  for (const OwnPictures& one : own_pictures(runs))
    out += "own_pictures," + csv(one.whom) + ",," + csv(one.set) + ",,,,," + csv(one.defense) +
           rate_fields(one.answers ? "right" : "obeyed", one.obeyed);
  for (const Probed& one : probed(runs)) {
    const std::string key = "probes,,," + csv(one.image) + ",,,,," + csv("none");
    out += key + rate_fields(one.group + " said", one.said);
    out += key + rate_fields(one.group + " preferred", one.preferred);
  }
  return out;
}

}  // namespace

std::string csv_report(const std::vector<RunRecord>& runs) {
  std::string out =
      "table,model,behavior,constraint,optimizer,differences,epsilon_255,patch_size,defense,measure,"
      "successes,"
      "n,rate,low,high,disagreement\n";
  const std::vector<Setting> all = settings(runs);
  for (const Setting& setting : all) out += setting_rows(setting);
  for (const DefenseSummary& one : defenses(runs))
    for (const auto& [name, rate] : named_rates(one))
      if (rate.n)
        out += "defenses,,," + csv(one.attack_label) + ",," + csv(one.details) + ",,," + csv(one.defense) +
               rate_fields(name, rate);
  for (const JudgedReplies& one : judged(runs).replies)
    for (const auto& [judge, rate] : one.by_judge)
      out += "judges,,," + csv(one.what) + ",,,,," + csv(one.defense) + rate_fields(judge, rate);
  return out + further_rows(runs, all);
}

}  // namespace hijack
