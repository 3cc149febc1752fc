#include "src/experiment/evaluate.h"

#include "attacks/text/gcg.h"
#include "defenses/make_defense.h"
#include "defenses/pipeline.h"
#include "src/base/error.h"
#include "src/experiment/adaptive.h"
#include "src/experiment/trial_evaluation.h"
#include "src/experiment/trial_parts.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr double kAdaptivePerplexity = 0.2;  // of Jain et al.'s weights the one in the middle
constexpr size_t kProbes = 4;                // prompts on which a stack shows what it touches

/// A stack with the specs that it was made from.
struct Stack {
  std::vector<std::string> specs;
  DefenseStack defenses;
  std::string name() const { return stack_name(defenses); }
};

/// "string-linf-8-cat-s0-vs-jpeg-quality-75": letters, digits and '-' only, short enough for a file name.
std::string adaptive_id(const std::string& trial, const std::string& stack) {
  std::string part;
  for (const char c : stack) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (plain || (!part.empty() && part.back() != '-')) part += plain ? c : '-';
  }
  constexpr size_t kLongest = 60;
  if (part.size() > kLongest)
    part = part.substr(0, kLongest) + "-" + std::to_string(std::hash<std::string>()(stack) % 1'000'000);
  return trial + "-vs-" + part;
}

/// The evaluation of a whole run, one trial after the other.
class RunEvaluation {
 public:
  RunEvaluation(const std::filesystem::path& path, const EvaluateConfig& config, const RunHooks& hooks,
                const ModelSource& models)
      : config_(config),
        hooks_(hooks),
        models_(models),
        folder_(RunFolder::open(path)),
        run_(read_run(path)),
        manifest_(run_.manifest) {
    for (const std::string& sentence : folder_.repairs()) note(sentence);
  }

  bool trial(const TrialPlan& plan, const TrialRow& row);

 private:
  std::vector<Stack> stacks(const TrialSetup& setup);
  bool adaptive_image(const TrialEvaluation& evaluation, const Stack& stack);
  std::optional<std::string> suffix(const TrialEvaluation& evaluation, const DefenseStack& through);
  std::string search_suffix(const TrialEvaluation& evaluation, const DefenseStack& through,
                            GcgConfig search) const;
  void record_calibrations(const std::vector<Stack>& stacks);
  void note(const std::string& text) const {
    if (hooks_.on_note) hooks_.on_note(text);
  }

  const EvaluateConfig& config_;
  const RunHooks& hooks_;
  const ModelSource& models_;
  RunFolder folder_;
  RunRecord run_;
  json manifest_;
  DefenseMaker maker_;
  std::set<std::string> utility_done_;  ///< models: the questions do not depend on the trial
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
  for (const std::string& spec : wanted.defenses) all.push_back({{spec}, maker_.make({spec}, situation)});
  if (config_.stack && wanted.defenses.size() > 1)
    all.push_back({wanted.defenses, maker_.make(wanted.defenses, situation)});
  return all;
}

/// Adds what is new to the manifest's calibrations (one per defense).
void RunEvaluation::record_calibrations(const std::vector<Stack>& stacks) {
  json& list = manifest_["calibrations"];
  if (!list.is_array()) list = json::array();
  for (const Stack& stack : stacks) {
    if (stack.defenses.size() != 1) continue;
    for (const Calibration& calibration : stack_calibrations(stack.defenses)) {
      const json entry = calibration_entry(calibration);
      if (std::find(list.begin(), list.end(), entry) == list.end()) list.push_back(entry);
    }
  }
}

std::string RunEvaluation::search_suffix(const TrialEvaluation& evaluation, const DefenseStack& through,
                                         GcgConfig search) const {
  const TrialSetup& setup = evaluation.setup();
  GcgHooks gcg;
  gcg.stop = hooks_.stop;
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
/// and kept in the manifest, so that a later evaluation compares like with like. nullopt when stopped: a
/// suffix whose search was cut short is not kept.
std::optional<std::string> RunEvaluation::suffix(const TrialEvaluation& evaluation,
                                                 const DefenseStack& through) {
  const std::string key = evaluation.trial().id + (through.empty() ? "" : " through " + stack_name(through));
  GcgConfig search = config_.suffix;
  const json made_by = fields_to_json(fields_of(search));
  json& suffixes = manifest_["text_suffixes"];
  if (!suffixes.is_object()) suffixes = json::object();
  json& kept = suffixes[key];
  if (!kept.is_object() || !kept.contains("text") || !kept["text"].is_string()) {
    note(key + ": searching the text-side control (GCG)");
    const std::string found = search_suffix(evaluation, through, search);
    if (hooks_.stop.stop_requested()) return std::nullopt;
    kept = {{"text", found}, {"made_by", made_by}};
    folder_.write_manifest(manifest_);
  } else if (kept.value("made_by", json()) != made_by) {
    note(key + ": keeping the text-side control of the first evaluation, made with other settings");
  }
  return kept["text"].get<std::string>();
}

/// The trial's attack again, through the stack. False when stopped.
bool RunEvaluation::adaptive_image(const TrialEvaluation& evaluation, const Stack& stack) {
  TrialPlan plan = evaluation.setup().plan;
  plan.id = adaptive_id(plan.id, stack.name());
  if (folder_.finished().contains(plan.id)) return true;
  plan.config.defense = config_.defense;
  plan.config.defense.defenses = stack.specs;
  json& plans = manifest_["adaptive_plans"];
  if (!plans.is_array()) plans = json::array();
  const json entry = plans_to_json({plan})[0];
  if (std::find(plans.begin(), plans.end(), entry) == plans.end()) plans.push_back(entry);
  folder_.write_manifest(manifest_);
  note(plan.id + ": the attack again, through the defense");
  const auto result = run_trial(set_up(plan, evaluation.setup().model, maker_), folder_, hooks_);
  if (!result) return false;
  folder_.add_trial(result->row, result->replies);
  if (hooks_.on_trial) hooks_.on_trial(result->row);
  return true;
}

/// False when stopped.
bool RunEvaluation::trial(const TrialPlan& plan, const TrialRow& row) {
  const TrialSetup setup = set_up(plan, models_(plan.config), maker_);
  const TrialEvaluation evaluation(setup, run_, row);
  const std::vector<Stack> all = stacks(setup);
  record_calibrations(all);
  const auto plain = suffix(evaluation, {});
  if (!plain) return false;
  folder_.write_manifest(manifest_);
  const bool with_utility = utility_done_.insert(plan.config.model).second;
  const auto benign = evaluation.benign(with_utility ? config_.utility : 0);
  std::vector<Context> probes = setup.contexts.test;
  probes.resize(std::min(probes.size(), kProbes));
  for (const Stack& stack : all) {
    if (hooks_.stop.stop_requested()) return false;
    note(plan.id + ": defense " + stack.name());
    const auto ask = [&](const std::vector<Question>& questions) {
      folder_.add_replies(evaluation.ask(stack.defenses, questions));
    };
    ask(evaluation.adversarial("attack"));
    ask(evaluation.clean("clean"));
    ask(evaluation.clean("text_suffix", *plain));
    ask(benign);
    if (!config_.defense.adaptive || stack.defenses.empty()) continue;
    const Handles handles = handles_of(stack.defenses, evaluation.origin(), probes);
    const bool lettering = plan.config.method == "typographic";  // chosen by replies from behind the defense
    if (lettering || plan.config.method == "image") {            // the others have no pixels to choose
      if (!handles.image && !lettering)
        ask(evaluation.adversarial("adaptive"));
      else if (!adaptive_image(evaluation, stack))
        return false;
    }
    const auto informed = handles.text ? suffix(evaluation, stack.defenses) : plain;
    if (!informed) return false;
    ask(evaluation.clean("text_adaptive", *informed));
  }
  return true;
}

const TrialRow* row_of_plan(const RunRecord& run, const TrialPlan& plan) {
  for (const TrialRow& row : run.trials)
    if (row.id == plan.id) return &row;
  return nullptr;
}

void check(const EvaluateConfig& config) {
  if (config.defense.defenses.empty())
    throw Error(
        "No defense was given; name one with --defense jpeg:quality=75 (hijack evaluate --help lists them).");
  hijack::check(config.defense);
  if (config.utility < 0 || config.utility > 10'000) throw Error("--utility must be from 0 to 10000.");
}

}  // namespace

bool evaluate_run(const std::filesystem::path& path, const EvaluateConfig& config, const RunHooks& hooks,
                  const ModelSource& models) {
  check(config);
  const RunRecord run = read_run(path);
  if (run.trials.empty()) throw Error("The run '" + path.string() + "' has no finished trial to evaluate.");
  RunEvaluation evaluation(path, config, hooks, models);
  for (const TrialPlan& plan :
       plans_from_json(run.manifest.value("plans", json()), (path / "manifest.json").string())) {
    const TrialRow* trial = row_of_plan(run, plan);
    // what was attacked behind a defense has been judged behind it
    if (!trial || trial->defense != "none") continue;
    if (hooks.stop.stop_requested() || !evaluation.trial(plan, *trial)) return false;
  }
  return true;
}

}  // namespace hijack
