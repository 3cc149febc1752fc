#include "src/experiment/run/query_score.h"

#include "attacks/objectives/behavior_matching.h"
#include "models/endpoint/victim.h"
#include "src/base/error.h"
#include "src/experiment/run/attack_space.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr const char* kScores = "query_scores";
constexpr const char* kLogLikelihood = "log-likelihood";
constexpr const char* kSuccess = "success";

/// What an earlier start has found out; "" = nobody has asked yet.
std::string known_score(const RunFolder& folder, const std::string& whom) {
  const json manifest = folder.manifest();
  const json scores = manifest.value(kScores, json::object());
  if (!scores.is_object() || !scores.contains(whom)) return "";
  const json& score = scores[whom];
  if (score != kLogLikelihood && score != kSuccess)
    throw Error((folder.path() / "manifest.json").string() + ": " + kScores + " of " + whom +
                " must be log-likelihood or success; the run is damaged.");
  return score.get<std::string>();
}

/// Why the server does not say how likely a target is; "" where it does. The question is one that the trial's
/// loss on the clean photo asks again: answered once, it is kept.
std::string why_unscored(const EndpointVictim& victim, const TrialSetup& setup) {
  const AttackConfig& config = setup.plan.config;
  const AskedContexts& seen = setup.seen_test.size() > 0 ? setup.seen_test : setup.seen_train;
  const Pixels pixels = victim.preprocess(in_attack_space(*setup.model, config, config.images[0]));
  return victim.why_unscored(pixels, seen.asked.at(0),
                             target_tokens(victim, *setup.behavior, seen.contexts.at(0)));
}

}  // namespace

void settle_query_score(TrialSetup& setup, const RunFolder& folder, const RunHooks& hooks) {
  const AttackConfig& config = setup.plan.config;
  const EndpointVictim* victim = behind_an_api(*setup.model);
  if (victim == nullptr) return;
  setup.score = config.query_score;
  if (setup.score != "auto") return;
  const std::string whom = victim->client().name() + ", " + config.victim_scores;
  setup.score = known_score(folder, whom);
  if (!setup.score.empty()) return;
  const std::string why = why_unscored(*victim, setup);
  setup.score = why.empty() ? kLogLikelihood : kSuccess;
  json manifest = folder.manifest();
  if (!manifest.value(kScores, json()).is_object()) manifest[kScores] = json::object();
  manifest[kScores][whom] = setup.score;
  folder.write_manifest(manifest);
  if (!why.empty() && hooks.on_note)
    hooks.on_note(
        "The search follows the success rate of the victim's replies (--query-score success), as it does not "
        "say how likely a target is: " +
        why);
}

}  // namespace hijack
