#include "src/experiment/evaluate/text_control.h"

#include "src/base/tensor_math.h"
#include "src/experiment/run/defense_setup.h"

namespace hijack {
namespace {

constexpr double kAdaptivePerplexity = 0.2;  // of Jain et al.'s weights the one in the middle

/// What a search through these defenses is made with, where the settings leave it open.
GcgConfig adapted(GcgConfig config, const DefenseStack& through, const Behavior& behavior) {
  for (const auto& defense : through)
    if (defense->scores_prompts() && config.perplexity_weight == 0)
      config.perplexity_weight = kAdaptivePerplexity;
  // behaviors that lead away from a reply have no target that a text could force: plain gibberish
  const std::string objective = behavior.default_objective();
  if (objective != "behavior" && objective != "prompt") config.steps = 0;
  return config;
}

}  // namespace

TextControl::TextControl(const GcgConfig& config, EvaluationRecord& record, const RunHooks& hooks)
    : config_(config),
      record_(record),
      hooks_(hooks),
      made_by_(fields_to_json(fields_of(config_))),
      variant_(digest_of(made_by_)) {
  record_.add_variant(variant_, made_by_);
}

std::string TextControl::search(const TrialEvaluation& evaluation, const DefenseStack& through,
                                const GcgConfig& search) const {
  const TrialSetup& setup = evaluation.setup();
  GcgHooks gcg;
  gcg.stop = hooks_.stop;
  gcg.note = [&](const std::string& text) { note(evaluation.trial().id + ": " + text); };
  gcg.after_step = [&](int64_t step, double loss) {
    if (hooks_.on_step) hooks_.on_step({evaluation.trial().id + " suffix", step, search.steps, loss});
  };
  if (!through.empty())
    gcg.seen = [&](const std::vector<Query>& queries) { return stack_queries(through, queries); };
  gcg.scorers = stack_prompt_scorers(through);
  return gcg_suffix(*setup.model, on_device(evaluation.origin(), setup.model->device()), setup.contexts.train,
                    *setup.behavior, search, evaluation.trial().seed, gcg)
      .suffix;
}

std::optional<std::string> TextControl::suffix(const TrialEvaluation& evaluation,
                                               const IdentifiedStack& through) {
  const TrialRow& trial = evaluation.trial();
  const std::string key =
      digest_of({{"trial", trial.trial_digest}, {"through", through.digest}, {"made_by", made_by_}});
  if (auto kept = record_.suffix(key)) return kept;
  note(trial.id + (through.defenses.empty() ? "" : " through " + through.name()) +
       ": searching the text-side control (GCG)");
  GcgConfig used = adapted(config_, through.defenses, *evaluation.setup().behavior);
  const std::string found = search(evaluation, through.defenses, used);
  if (hooks_.stop.stop_requested()) return std::nullopt;
  record_.keep_suffix(key, {{"trial", trial.id},
                            {"through", through.name()},
                            {"text", found},
                            {"made_by", fields_to_json(fields_of(used))}});
  record_.write();
  return found;
}

}  // namespace hijack
