#include "src/base/json.h"
#include "src/experiment/record/inside.h"
#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/aggregate/encoders.h"
#include "src/experiment/report/aggregate/inside.h"
#include "src/experiment/report/aggregate/judged.h"
#include "src/experiment/report/aggregate/own_pictures.h"
#include "src/experiment/report/aggregate/probed.h"
#include "src/experiment/report/aggregate/survival.h"
#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/sanity/sanity.h"
#include "src/experiment/report/values/text.h"

// The tables for programs.

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
  for (const auto& [name, rate] : named_rates(one)) object[name] = to_json(rate);
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

Json to_json(const EncoderSummary& one) {
  return {{"model", one.setting->model},
          {"setting_digest", one.setting->digest},
          {"constraint", one.setting->constraint},
          {"encoder", one.encoder},
          {"role", role_of(one)},
          {"held_out", one.held_out},
          {"attack", number_or_null(one.attack)},
          {"clean", number_or_null(one.clean)},
          {"noise", number_or_null(one.noise)},
          {"attack_nearer", to_json(one.attack_nearer)},
          {"noise_nearer", to_json(one.noise_nearer)},
          {"attack_to_clean", number_or_null(one.attack_to_clean)},
          {"noise_to_clean", number_or_null(one.noise_to_clean)},
          {"steps", number_or_null(one.steps)}};
}

Json to_json(const Survival& one) {
  Json rates = Json::object();
  for (const auto& [name, rate] : one.success) rates[name] = to_json(rate);
  return {{"trial", one.trial.label}, {"success", rates}};
}

Json to_json(const Probed& one) {
  return {{"group", one.group},
          {"image", one.image},
          {"trials", one.trials},
          {"said", to_json(one.said)},
          {"preferred", to_json(one.preferred)},
          {"margin", number_or_null(one.margin)},
          {"margin_low", number_or_null(one.margin_interval.low)},
          {"margin_high", number_or_null(one.margin_interval.high)}};
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

/// What was measured in further commands.
void add_further(Json& object, const std::vector<RunRecord>& runs) {
  object["judges"] = to_json(judged(runs));
  object["features"] = Json::array();
  for (const RunRecord& run : runs)
    for (const FeatureRow& row : run.features) object["features"].push_back(to_json(row));
  object["survival"] = Json::array();
  for (const Survival& one : survivals(runs)) object["survival"].push_back(to_json(one));
  object["own_pictures"] = Json::array();
  for (const OwnPictures& one : own_pictures(runs))
    object["own_pictures"].push_back({{"set", one.set},
                                      {"defense", one.defense},
                                      {"asked", one.whom},
                                      {one.answers ? "right" : "obeyed", to_json(one.obeyed)},
                                      {"rejected", to_json(one.rejected)}});
  object["inside"] = Json::array();
  for (const InsideRow& one : inside(runs)) object["inside"].push_back(hijack::to_json(one));
  object["probes"] = Json::array();
  for (const Probed& one : probed(runs)) object["probes"].push_back(to_json(one));
}

}  // namespace

nlohmann::json json_report(const std::vector<RunRecord>& runs) {
  Json object{{"headline", headline(runs)}, {"settings", Json::array()},  {"encoders", Json::array()},
              {"defenses", Json::array()},  {"detectors", Json::array()}, {"trials", Json::array()},
              {"flags", Json::array()}};
  const std::vector<Setting> all = settings(runs);
  for (const Setting& setting : all) object["settings"].push_back(to_json(setting));
  for (const EncoderSummary& one : encoder_summaries(all)) object["encoders"].push_back(to_json(one));
  for (const DefenseSummary& one : defenses(runs)) object["defenses"].push_back(to_json(one));
  add_further(object, runs);
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

}  // namespace hijack
