#include "src/base/json.h"
#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/aggregate/judged.h"
#include "src/experiment/report/aggregate/survival.h"
#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/sanity/sanity.h"
#include "src/experiment/report/values/text.h"

// The tables for programs: JSON and CSV.

namespace hijack {
namespace {

using namespace report;
using Json = nlohmann::json;

Json to_json(const Rate& rate) {
  const Interval interval = rate.interval();
  return {{"successes", rate.successes}, {"n", rate.n},           {"rate", number_or_null(rate.value())},
          {"low", interval.low},         {"high", interval.high}, {"disagreement", disagreement(rate)}};
}

Json to_json(const Pools& pools) {
  Json object = Json::object();
  for (const auto& [name, pooled] : pools)
    object[name] = {{"exact", to_json(pooled.exact)}, {"contained", to_json(pooled.substring)}};
  return object;
}

Json to_json(const Setting& setting) {
  Json trials = Json::array();
  for (const TrialRef& trial : setting.trials) trials.push_back(trial.label);
  Json transfer = Json::object();
  for (const auto& [model, pools] : setting.transfer) transfer[model] = to_json(pools);
  Json differences = Json::object();
  for (const Difference& one : setting.differences) differences[one.name] = one.value;
  return {{"model", setting.model},
          {"setting_digest", setting.digest},
          {"differences", differences},
          {"behavior", setting.behavior},
          {"constraint", setting.constraint},
          {"constraint_name", setting.constraint_name},
          {"epsilon_255", number_or_null(setting.epsilon_255)},
          {"patch_size", setting.patch_size},
          {"optimizer", setting.optimizer},
          {"defense", setting.defense},
          {"adaptive", setting.adaptive},
          {"trials", trials},
          {"success", to_json(setting.success)},
          {"controls", to_json(setting.controls)},
          {"transfer", transfer},
          {"seed_mean", number_or_null(mean(setting.seed_rates))},
          {"seed_sd", number_or_null(standard_deviation(setting.seed_rates))},
          {"seeds", setting.seed_rates.size()},
          {"seconds_per_step", number_or_null(setting.seconds_per_step)}};
}

/// Name and rate of everything measured about one defense.
std::vector<std::pair<const char*, Rate>> measures(const DefenseSummary& one) {
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

Json to_json(const DefenseSummary& one) {
  Json object{{"defense", one.defense},
              {"details", one.details},
              {"attack_label", one.attack_label},
              {"attack_change", number_or_null(one.attack_change)},
              {"attack_p", number_or_null(one.attack_p)},
              {"text_change", number_or_null(one.text_change)},
              {"text_p", number_or_null(one.text_p)},
              {"benign_change", number_or_null(one.benign_change)},
              {"benign_p", number_or_null(one.benign_p)},
              {"seconds_per_reply", number_or_null(one.seconds_per_reply)}};
  for (const auto& [name, rate] : measures(one)) object[name] = to_json(rate);
  return object;
}

Json to_json(const ReadBackRow& row) {
  return {{"reader", row.reader},
          {"mean_error_255", number_or_null(row.mean_error_255)},
          {"max_error_255", number_or_null(row.max_error_255)},
          {"clean_error_255", number_or_null(row.clean_error_255)}};
}

Json to_json(const Judged& all) {
  Json replies = Json::array(), agreements = Json::array(), refused = Json::object();
  for (const JudgedReplies& one : all.replies) {
    Json by_judge = Json::object();
    for (const auto& [judge, rate] : one.by_judge) by_judge[judge] = to_json(rate);
    replies.push_back({{"replies", one.what},
                       {"defense", one.defense},
                       {"recorded", to_json(one.recorded)},
                       {"by_judge", by_judge}});
  }
  for (const JudgePair& one : all.agreements)
    agreements.push_back({{"first", one.first},
                          {"second", one.second},
                          {"n", one.agreement.n},
                          {"agree", number_or_null(one.agreement.share)},
                          {"kappa", number_or_null(one.agreement.kappa)},
                          {"low", number_or_null(one.agreement.interval.low)},
                          {"high", number_or_null(one.agreement.interval.high)}});
  for (const auto& [defense, rate] : all.harmless_refused) refused[defense] = to_json(rate);
  return {{"judges", all.judges},
          {"replies", replies},
          {"agreements", agreements},
          {"harmless_refused", refused}};
}

Json to_json(const Survival& one) {
  Json rates = Json::object();
  for (const auto& [name, rate] : one.success) rates[name] = to_json(rate);
  return {{"trial", one.trial.label}, {"success", rates}};
}

Json to_json(const TrialRef& ref) {
  const Tally test = counted(*ref.trial, "test");
  const Visibility& visible = ref.trial->visibility;
  Json read_back;
  if (ref.trial->read_back) read_back = to_json(*ref.trial->read_back);
  return {{"trial", ref.label},
          {"ssim", number_or_null(visible.ssim)},
          {"psnr", number_or_null(visible.psnr)},
          {"feature_distance", number_or_null(visible.feature_distance)},
          {"l2", number_or_null(ref.trial->budget.l2)},
          {"read_back", read_back},
          {"seed", ref.trial->seed},
          {"budget_respected", ref.trial->budget.respected},
          {"max_difference_255", number_or_null(ref.trial->budget.max_difference_255)},
          {"steps", ref.trial->steps},
          {"seconds", number_or_null(ref.trial->seconds)},
          {"test", to_json(rate_of(test))},
          {"edit_distance", number_or_null(mean_edit_distance(ref))}};
}

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

}  // namespace

nlohmann::json json_report(const std::vector<RunRecord>& runs) {
  Json object{{"headline", headline(runs)},
              {"settings", Json::array()},
              {"defenses", Json::array()},
              {"trials", Json::array()},
              {"flags", Json::array()}};
  for (const Setting& setting : settings(runs)) object["settings"].push_back(to_json(setting));
  for (const DefenseSummary& one : defenses(runs)) object["defenses"].push_back(to_json(one));
  object["detectors"] = Json::array();
  object["judges"] = to_json(judged(runs));
  object["features"] = Json::array();
  for (const RunRecord& run : runs)
    for (const FeatureRow& row : run.features) object["features"].push_back(to_json(row));
  object["survival"] = Json::array();
  for (const Survival& one : survivals(runs)) object["survival"].push_back(to_json(one));
  for (const DetectorCurve& one : detector_curves(runs))
    object["detectors"].push_back({{"detector", one.detector},
                                   {"attack", one.attack},
                                   {"auroc", number_or_null(one.auroc)},
                                   {"found_at_1_percent", number_or_null(one.at_1_percent)},
                                   {"found_at_5_percent", number_or_null(one.at_5_percent)},
                                   {"threshold", number_or_null(one.threshold)},
                                   {"found", to_json(one.detected)},
                                   {"false_alarms", to_json(one.false_alarms)}});
  for (const TrialRef& trial : all_trials(runs)) object["trials"].push_back(to_json(trial));
  for (const Flag& flag : sanity_flags(runs))
    object["flags"].push_back({{"name", flag.name},
                               {"severity", name(flag.severity)},
                               {"trial", flag.trial},
                               {"meaning", flag.meaning},
                               {"advice", flag.advice}});
  return object;
}

std::string csv_report(const std::vector<RunRecord>& runs) {
  std::string out =
      "table,model,behavior,constraint,optimizer,differences,epsilon_255,patch_size,defense,measure,"
      "successes,"
      "n,rate,low,high,disagreement\n";
  for (const Setting& setting : settings(runs)) {
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
  }
  for (const DefenseSummary& one : defenses(runs))
    for (const auto& [name, rate] : measures(one))
      if (rate.n)
        out += "defenses,,," + csv(one.attack_label) + ",," + csv(one.details) + ",,," + csv(one.defense) +
               rate_fields(name, rate);
  for (const JudgedReplies& one : judged(runs).replies)
    for (const auto& [judge, rate] : one.by_judge)
      out += "judges,,," + csv(one.what) + ",,,,," + csv(one.defense) + rate_fields(judge, rate);
  for (const Survival& one : survivals(runs))
    for (const auto& [name, rate] : one.success)
      out += "survival,,," + csv(one.trial.label) + ",,,,," + csv("none") + rate_fields(name, rate);
  return out;
}

}  // namespace hijack
