#include "src/experiment/run/evaluate.h"

#include "attacks/text/gcg.h"
#include "defenses/make_defense.h"
#include "defenses/pipeline.h"
#include "src/base/error.h"
#include "src/experiment/run/defended_objective.h"
#include "src/experiment/run/trial_evaluation.h"
#include "src/experiment/run/trial_parts.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr double kAdaptivePerplexity = 0.2;  // of Jain et al.'s weights the one in the middle
constexpr size_t kProbes = 4;                // prompts on which a stack shows what it touches

/// A stack with the specs that it was made from.
struct Stack : IdentifiedStack {
  std::vector<std::string> specs = {};
};

/// "string-linf-8-cat-s0-vs-jpeg-quality-75-1a2b3c4d": letters, digits and '-' only, short enough for a file
/// name; the digest tells apart what differs in draws and weights.
std::string adaptive_id(const std::string& trial, const std::string& stack, const Identity& identity) {
  std::string part;
  for (const char c : stack) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (plain || (!part.empty() && part.back() != '-')) part += plain ? c : '-';
  }
  constexpr size_t kLongest = 60, kDigits = 8;
  return trial + "-vs-" + part.substr(0, kLongest) + "-" + identity.trial_digest.substr(0, kDigits);
}

void check(const EvaluateConfig& config) {
  if (config.defense.defenses.empty())
    throw Error(
        "No defense was given; name one with --defense jpeg:quality=75 (hijack evaluate --help lists them).");
  hijack::check(config.defense);
  if (config.utility < 0 || config.utility > 10'000) throw Error("--utility must be from 0 to 10000.");
}

/// The evaluation of a whole run, one trial after the other.
class RunEvaluation {
 public:
  RunEvaluation(const std::filesystem::path& path, const EvaluateConfig& config, const RunHooks& hooks,
                const ModelSource& models, const std::vector<std::string>& moved_models)
      : config_(config),
        hooks_(hooks),
        models_(models),
        folder_(RunFolder::open(path)),
        run_(read_run(path)),
        manifest_(folder_.manifest()),
        variant_config_(config.suffix),
        made_by_(fields_to_json(fields_of(variant_config_))),
        variant_(digest_of(made_by_)) {
    folder_.find_models(moved_models);
    inputs_ = folder_.inputs();
    for (const std::string& sentence : folder_.repairs()) note(sentence);
  }

  /// The plans of the run whose trials are to be evaluated, with their rows.
  std::vector<std::pair<TrialPlan, const TrialRow*>> trials() const;
  bool trial(const TrialPlan& plan, const TrialRow& row);

 private:
  std::vector<Stack> stacks(const TrialSetup& setup);
  bool ask_stack(TrialEvaluation& evaluation, const Stack& stack, const std::string& plain,
                 const std::vector<Question>& benign);
  bool ask_adaptively(TrialEvaluation& evaluation, const Stack& stack, const std::string& plain);
  void ask(TrialEvaluation& evaluation, const Stack& stack, const std::vector<Question>& questions) {
    folder_.add_replies(evaluation.ask(stack, questions));
  }
  bool adaptive_image(const TrialEvaluation& evaluation, const Stack& stack);
  std::optional<std::string> suffix(const TrialEvaluation& evaluation, const IdentifiedStack& through);
  std::string search_suffix(const TrialEvaluation& evaluation, const DefenseStack& through,
                            GcgConfig search) const;
  void record(const std::vector<Stack>& stacks);
  void note(const std::string& text) const {
    if (hooks_.on_note) hooks_.on_note(text);
  }

  const EvaluateConfig& config_;
  const RunHooks& hooks_;
  const ModelSource& models_;
  RunFolder folder_;
  RunRecord run_;
  json manifest_;
  RunInputs inputs_;
  GcgConfig variant_config_;  ///< of the text-side control
  json made_by_;              ///< the same as the manifest's "variants" have it, with its digest
  std::string variant_;
  DefenseMaker maker_;
  std::set<std::string> utility_done_;  ///< models and spaces: the questions depend on nothing else
};

std::vector<Stack> RunEvaluation::stacks(const TrialSetup& setup) {
  const DefenseConfig& wanted = config_.defense;
  const DefenseMaker::Situation situation{setup.model,
                                          setup.plan.config,
                                          setup.contexts.calibration,
                                          attacked_photos(*setup.model, setup.plan.config),
                                          setup.reply_tokens,
                                          wanted.false_positive_rate};
  std::vector<Stack> all(1);  // the bare model
  for (const std::string& spec : wanted.defenses)
    all.push_back({make_stack(maker_, {spec}, situation), {spec}});
  if (config_.stack && wanted.defenses.size() > 1)
    all.push_back({make_stack(maker_, wanted.defenses, situation), wanted.defenses});
  return all;
}

/// Adds stacks and their thresholds to the manifest. Throws Error when a threshold that was recorded before
/// is not the one that the same calibration gives now.
void RunEvaluation::record(const std::vector<Stack>& stacks) {
  manifest_["variants"][variant_] = made_by_;
  json& list = manifest_["calibrations"];
  if (!list.is_array()) list = json::array();
  for (const Stack& stack : stacks) {
    if (stack.defenses.empty()) continue;
    manifest_["stacks"][stack.digest] = stack.record;
    for (const json& entry : calibration_entries(stack)) {
      const auto same = [&](const json& other) {
        return other.is_object() && other.value("stack", "") == stack.digest &&
               other.value("defense", "") == entry["defense"];
      };
      const auto found = std::find_if(list.begin(), list.end(), same);
      if (found == list.end())
        list.push_back(entry);
      else if (*found != entry)
        throw Error("The calibration of " + entry["defense"].get<std::string>() +
                    " in the manifest is not the one that its calibration prompts give (threshold " +
                    (*found).value("threshold", json()).dump() + ", now " + entry["threshold"].dump() +
                    "): the manifest was changed, or other code made it; evaluate a fresh run.");
    }
  }
}

std::string RunEvaluation::search_suffix(const TrialEvaluation& evaluation, const DefenseStack& through,
                                         GcgConfig search) const {
  const TrialSetup& setup = evaluation.setup();
  GcgHooks gcg;
  gcg.stop = hooks_.stop;
  gcg.note = [&](const std::string& text) { note(evaluation.trial().id + ": " + text); };
  gcg.after_step = [&](int64_t step, double loss) {
    if (hooks_.on_step) hooks_.on_step({evaluation.trial().id + " suffix", step, search.steps, loss});
  };
  if (!through.empty())
    gcg.seen = [&](const std::vector<Query>& queries) { return stack_queries(through, queries); };
  for (const auto& defense : through)
    if (defense->scores_prompts() && search.perplexity_weight == 0)
      search.perplexity_weight = kAdaptivePerplexity;
  // behaviors that lead away from a reply have no target that a text could force: plain gibberish
  const std::string objective = setup.behavior->default_objective();
  if (objective != "behavior" && objective != "prompt") search.steps = 0;
  return gcg_suffix(*setup.model, evaluation.origin().to(setup.model->device()), setup.contexts.train,
                    *setup.behavior, search, evaluation.trial().seed, gcg)
      .suffix;
}

/// The text-side control: a suffix found by GCG on training contexts, through a stack or without. Made once
/// for each trial, stack and settings of the search, and kept in the manifest, so that a later evaluation
/// compares like with like. nullopt when stopped: a suffix whose search was cut short is not kept.
std::optional<std::string> RunEvaluation::suffix(const TrialEvaluation& evaluation,
                                                 const IdentifiedStack& through) {
  const TrialRow& trial = evaluation.trial();
  const std::string key =
      digest_of({{"trial", trial.trial_digest}, {"through", through.digest}, {"made_by", made_by_}});
  json& suffixes = manifest_["text_suffixes"];
  if (!suffixes.is_object()) suffixes = json::object();
  json& kept = suffixes[key];
  if (!kept.is_object() || !kept.contains("text") || !kept["text"].is_string()) {
    note(trial.id + (through.defenses.empty() ? "" : " through " + through.name()) +
         ": searching the text-side control (GCG)");
    const std::string found = search_suffix(evaluation, through.defenses, config_.suffix);
    if (hooks_.stop.stop_requested()) return std::nullopt;
    kept = {{"trial", trial.id}, {"through", through.name()}, {"text", found}, {"made_by", made_by_}};
    folder_.write_manifest(manifest_);
  }
  return kept["text"].get<std::string>();
}

/// The trial's attack again, through the stack. False when stopped.
bool RunEvaluation::adaptive_image(const TrialEvaluation& evaluation, const Stack& stack) {
  TrialPlan plan = evaluation.setup().plan;
  plan.config.defense = config_.defense;
  plan.config.defense.defenses = stack.specs;
  plan.identity = identity_of(plan.config);
  plan.id = adaptive_id(plan.id, stack.name(), plan.identity);
  if (folder_.done(plan)) return true;
  json& plans = manifest_["adaptive_plans"];
  if (!plans.is_array()) plans = json::array();
  const json entry = inputs_.to_json(plan);
  if (std::find(plans.begin(), plans.end(), entry) == plans.end()) plans.push_back(entry);
  folder_.write_manifest(manifest_);
  note(plan.id + ": the attack again, through the defense");
  const auto result = run_trial(set_up(plan, evaluation.setup().model, maker_), folder_, hooks_);
  if (!result) return false;
  folder_.add_trial(result->row, result->replies);
  if (hooks_.on_trial) hooks_.on_trial(result->row);
  return true;
}

/// What the attack of a trial does once it knows the stack. False when stopped.
bool RunEvaluation::ask_adaptively(TrialEvaluation& evaluation, const Stack& stack,
                                   const std::string& plain) {
  const TrialSetup& setup = evaluation.setup();
  std::vector<Context> probes = setup.contexts.test;
  probes.resize(std::min(probes.size(), kProbes));
  const Handles handles = handles_of(stack.defenses, evaluation.origin(), probes);
  const std::string& method = setup.plan.config.method;
  const bool lettering = method == "typographic";  // chosen by replies from behind the defense
  if (lettering || method == "image") {            // the others have no pixels to choose
    if (!handles.image && !lettering)
      ask(evaluation, stack, evaluation.adversarial("adaptive"));
    else if (!adaptive_image(evaluation, stack))
      return false;
  }
  const auto informed = handles.text ? suffix(evaluation, stack) : plain;
  if (!informed) return false;
  ask(evaluation, stack, evaluation.clean("text_adaptive", *informed, variant_));
  return true;
}

/// False when stopped.
bool RunEvaluation::ask_stack(TrialEvaluation& evaluation, const Stack& stack, const std::string& plain,
                              const std::vector<Question>& benign) {
  note(evaluation.trial().id + ": defense " + stack.name());
  ask(evaluation, stack, evaluation.adversarial("attack"));
  ask(evaluation, stack, evaluation.clean("clean"));
  ask(evaluation, stack, evaluation.clean("text_suffix", plain, variant_));
  ask(evaluation, stack, benign);
  return !config_.defense.adaptive || stack.defenses.empty() || ask_adaptively(evaluation, stack, plain);
}

/// False when stopped.
bool RunEvaluation::trial(const TrialPlan& plan, const TrialRow& row) {
  const TrialSetup setup = set_up(plan, models_(plan.config), maker_);
  TrialEvaluation evaluation(setup, run_, row);
  const std::vector<Stack> all = stacks(setup);
  record(all);
  const auto plain = suffix(evaluation, {});
  if (!plain) return false;
  folder_.write_manifest(manifest_);
  const bool with_utility = utility_done_.insert(model_hash(plan.config.model) + plan.config.space).second;
  const auto benign = evaluation.benign(with_utility ? config_.utility : 0);
  for (const Stack& stack : all)
    if (hooks_.stop.stop_requested() || !ask_stack(evaluation, stack, *plain, benign)) return false;
  return true;
}

std::vector<std::pair<TrialPlan, const TrialRow*>> RunEvaluation::trials() const {
  std::vector<std::pair<TrialPlan, const TrialRow*>> found;
  for (TrialPlan& plan : inputs_.plans(manifest_.value("plans", json()), "manifest.json")) {
    if (!folder_.done(plan)) continue;
    for (const TrialRow& row : run_.trials)
      if (row.id == plan.id && row.defense == "none")  // the others have been judged behind their defenses
        found.emplace_back(std::move(plan), &row);
  }
  return found;
}

}  // namespace

bool evaluate_run(const std::filesystem::path& path, const EvaluateConfig& wanted, const RunHooks& hooks,
                  const ModelSource& models, const std::vector<std::string>& moved_models) {
  check(wanted);
  EvaluateConfig config = wanted;
  for (std::string& defense : config.defense.defenses) defense = public_defense(defense);
  if (read_run(path).trials.empty())
    throw Error("The run '" + path.string() + "' has no finished trial to evaluate.");
  RunEvaluation evaluation(path, config, hooks, models, moved_models);
  for (auto& [plan, row] : evaluation.trials()) {
    hooks.machine.put_into(plan.config);
    use_threads(plan.config);
    try {
      if (hooks.stop.stop_requested() || !evaluation.trial(plan, *row)) return false;
    } catch (const NotFinite& found) {
      explain(found, plan.config);
    }
  }
  return true;
}

}  // namespace hijack
