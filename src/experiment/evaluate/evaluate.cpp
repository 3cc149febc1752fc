#include "src/experiment/evaluate/evaluate.h"

#include <chrono>

#include "defenses/make_defense.h"
#include "defenses/pipeline.h"
#include "src/base/error.h"
#include "src/experiment/evaluate/evaluation_record.h"
#include "src/experiment/evaluate/text_control.h"
#include "src/experiment/evaluate/trial_evaluation.h"
#include "src/experiment/plan/shipped.h"
#include "src/experiment/plan/without_images.h"
#include "src/experiment/run/attack_space.h"
#include "src/experiment/run/defended_objective.h"
#include "src/experiment/run/explain.h"
#include "src/experiment/run/victim.h"

namespace hijack {
namespace {

constexpr size_t kProbes = 4;  // prompts on which a stack shows what it touches

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
  if (config.defense.defenses.empty() && !config.survival && config.victim.empty() &&
      config.images_of.empty())
    throw Error(
        "No defense was given; name one with --defense jpeg:quality=75 (hijack defenses lists them).");
  if (!config.victim.empty()) {
    parse_endpoint(config.victim, "--victim");
    config.asking.check();
    if (config.defense.adaptive)
      throw Error(
          "--adaptive attacks through the defense by gradients, which the victim behind an API does not "
          "give.");
  }
  hijack::check(config.defense);
  if (config.sampling.temperature < 0 && config.sampling.temperature != -1)
    throw Error("--temperature must be from 0 (greedy) to 10, or -1 for that of the run.");
  if (config.utility < 0 || config.utility > 10'000) throw Error("--utility must be from 0 to 10000.");
  const UtilitySet set = utility_set_for(config.utility_set, {});
  if (!set.file.empty()) read_checked_questions(set.file);
}

/// Drawn replies are those of a seed; greedy ones are always the same.
std::string drawn_as(const AttackConfig& config) {
  return config.sampling.greedy() ? "" : config.sampling.text() + std::to_string(config.seeds[0]);
}

/// The evaluation of a whole run, one trial after the other.
class RunEvaluation {
 public:
  RunEvaluation(const std::filesystem::path& path, const EvaluateConfig& config, const RunHooks& hooks,
                const ModelSource& models, const std::vector<std::string>& moved_models)
      : config_(config),
        hooks_(hooks),
        folder_(RunFolder::open(path)),
        victim_(config.victim.empty() ? nullptr
                                      : client_for_run(parse_endpoint(config.victim, "--victim"),
                                                       config.asking, path, hooks.stop)),
        models_(victim_ ? victim_models(victim_) : models),
        run_(read_run(path)),
        record_(folder_),
        text_(config.suffix, record_, hooks) {
    folder_.find_models(moved_models);
    inputs_ = folder_.inputs();
    if (!config.images_of.empty()) {
      const TestSetChoice choice = parse_test_set(config.images_of);
      picture_set_ = choice.name;
      pictures_ = read_picture_cases(choice);
    }
    for (const std::string& sentence : folder_.repairs()) note(sentence);
  }

  /// The plans of the run whose trials are to be evaluated, with their rows.
  std::vector<std::pair<TrialPlan, const TrialRow*>> trials() const;
  bool trial(const TrialPlan& plan, const TrialRow& row);
  void note_victim();

 private:
  std::vector<Stack> stacks(const TrialSetup& setup);
  bool ask_stack(TrialEvaluation& evaluation, const Stack& stack, const std::string& plain,
                 const std::vector<Question>& benign);
  std::vector<Question> utility(const TrialPlan& plan, const TrialEvaluation& evaluation);
  bool ask_adaptively(TrialEvaluation& evaluation, const Stack& stack, const std::string& plain);
  void ask(TrialEvaluation& evaluation, const Stack& stack, const std::vector<Question>& questions) {
    folder_.add_replies(evaluation.ask(stack, questions));
  }
  bool adaptive_image(const TrialEvaluation& evaluation, const Stack& stack);
  bool ask_processed(TrialEvaluation& evaluation, const Stack& bare);
  bool ask_own_pictures(TrialEvaluation& evaluation, const std::vector<Stack>& stacks);
  void note(const std::string& text) const {
    if (hooks_.on_note) hooks_.on_note(text);
  }

  const EvaluateConfig& config_;
  const RunHooks& hooks_;
  RunFolder folder_;
  std::shared_ptr<const EndpointClient> victim_;  ///< null: each trial's own model is asked
  ModelSource models_;
  RunRecord run_;
  RunInputs inputs_;
  EvaluationRecord record_;
  TextControl text_;
  DefenseMaker maker_{hooks_.on_note};
  std::string picture_set_;
  std::vector<PictureCase> pictures_;
  std::set<std::string> pictures_done_;
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

/// The trial's attack again, through the stack. False when stopped.
bool RunEvaluation::adaptive_image(const TrialEvaluation& evaluation, const Stack& stack) {
  TrialPlan plan = evaluation.setup().plan;
  plan.config.defense = config_.defense;
  plan.config.defense.defenses = stack.specs;
  plan.identity = identity_of(plan.config);
  plan.id = adaptive_id(plan.id, stack.name(), plan.identity);
  if (folder_.done(plan)) return true;
  record_.add_adaptive_plan(inputs_.to_json(plan));
  record_.write();
  note(plan.id + ": the attack again, through the defense");
  const auto result = run_trial(set_up(plan, evaluation.setup().model, maker_), folder_, hooks_);
  if (!result) return false;
  write_rows(*result, folder_, hooks_);
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
  const auto informed = handles.text ? text_.suffix(evaluation, stack) : plain;
  if (!informed) return false;
  ask(evaluation, stack, evaluation.clean("text_adaptive", *informed, text_.variant()));
  return true;
}

/// False when stopped.
bool RunEvaluation::ask_stack(TrialEvaluation& evaluation, const Stack& stack, const std::string& plain,
                              const std::vector<Question>& benign) {
  note(evaluation.trial().id + ": defense " + stack.name());
  if (hooks_.on_stack) hooks_.on_stack(stack.name());
  ask(evaluation, stack, evaluation.adversarial("attack"));
  ask(evaluation, stack, evaluation.clean("clean"));
  if (victim_)
    ask(evaluation, stack, evaluation.noise());
  else
    ask(evaluation, stack, evaluation.clean("text_suffix", plain, text_.variant()));
  ask(evaluation, stack, benign);
  return !config_.defense.adaptive || stack.defenses.empty() || ask_adaptively(evaluation, stack, plain);
}

/// By content.
static std::string model_of(const AttackConfig& config) {
  std::string key = model_hash(config.model);
  for (const std::string* part : {&config.vision_tower, &config.adapter})
    key += part->empty() ? "" : model_hash(*part);
  return key;
}

/// The benign questions of a trial: once for each model, space and set.
std::vector<Question> RunEvaluation::utility(const TrialPlan& plan, const TrialEvaluation& evaluation) {
  if (config_.utility == 0) return {};
  const UtilitySet set = utility_set_for(config_.utility_set, plan.config.model);
  const std::string model = model_of(plan.config);
  record_.add_utility_set(model, set);
  return utility_done_.insert(model + plan.config.space + drawn_as(plan.config)).second
             ? evaluation.benign(set, config_.utility)
             : std::vector<Question>{};
}

/// What the saved image survives. False when stopped.
bool RunEvaluation::ask_processed(TrialEvaluation& evaluation, const Stack& bare) {
  if (!config_.survival || !evaluation.origin().defined()) return true;  // a language model has no images
  for (const Processing& one : processings()) {
    if (hooks_.stop.stop_requested()) return false;
    note(evaluation.trial().id + ": " + one.name);
    ask(evaluation, bare, evaluation.processed(one));
  }
  return true;
}

/// The cases of a test set about their own pictures, once for each model. False when stopped.
bool RunEvaluation::ask_own_pictures(TrialEvaluation& evaluation, const std::vector<Stack>& stacks) {
  if (pictures_.empty() || !evaluation.origin().defined()) return true;  // a language model has no images
  const AttackConfig& config = evaluation.setup().plan.config;
  if (!pictures_done_.insert(model_of(config) + drawn_as(config)).second) return true;
  for (const Stack& stack : stacks)
    for (size_t begin = 0; begin < pictures_.size(); begin += kRepliesAtOnce) {
      if (hooks_.stop.stop_requested()) return false;
      const size_t count = std::min(kRepliesAtOnce, pictures_.size() - begin);
      note("own pictures, defense " + stack.name() + ": " + std::to_string(begin + count) + " of " +
           std::to_string(pictures_.size()));
      ask(evaluation, stack,
          evaluation.own_pictures(picture_set_, std::span(pictures_).subspan(begin, count)));
    }
  return true;
}

/// False when stopped.
bool RunEvaluation::trial(const TrialPlan& plan, const TrialRow& row) {
  const TrialSetup setup = set_up(plan, models_(plan.config), maker_);
  TrialEvaluation evaluation(setup, run_, row);
  const std::vector<Stack> all = stacks(setup);
  for (const Stack& stack : all) record_.add_stack(stack);
  // the control by text is searched for by gradients
  const auto plain = victim_ ? std::optional<std::string>("") : text_.suffix(evaluation, {});
  if (!plain) return false;
  const auto benign = utility(plan, evaluation);
  record_.write();
  for (const Stack& stack : all)
    if (hooks_.stop.stop_requested() || !ask_stack(evaluation, stack, *plain, benign)) return false;
  return ask_processed(evaluation, all.front()) && ask_own_pictures(evaluation, all);
}

void RunEvaluation::note_victim() {
  if (!victim_) return;
  record_.add_victim(victim_->name(), {{"endpoint", victim_->address()},
                                       {"model", victim_->model()},
                                       {"answered_as", victim_->answered_as()}});
  record_.write();
}

std::vector<std::pair<TrialPlan, const TrialRow*>> RunEvaluation::trials() const {
  std::vector<std::pair<TrialPlan, const TrialRow*>> found;
  for (TrialPlan& plan :
       inputs_.plans(record_.manifest().value("plans", nlohmann::json()), "manifest.json")) {
    if (!folder_.done(plan)) continue;
    for (const TrialRow& row : run_.trials)
      if (row.id == plan.id && row.defense == "none")  // the others have been judged behind their defenses
        found.emplace_back(std::move(plan), &row);
  }
  return found;
}

void check_plan(const TrialPlan& plan, const DefenseConfig& defense) {
  if (asks_nobody(plan.config))
    throw Error("The trial " + plan.id +
                " attacked image encoders alone: there is no model to ask behind a defense.");
  if (plan.config.images.empty()) check_defenses_without_images(defense.defenses, plan.config.model);
}

/// The trials as this evaluation asks about them. Throws Error.
std::vector<std::pair<TrialPlan, const TrialRow*>> asked_trials(const RunEvaluation& evaluation,
                                                                const EvaluateConfig& config,
                                                                const std::filesystem::path& path) {
  auto trials = evaluation.trials();
  if (trials.empty())
    throw Error(
        "Every trial of the run '" + path.string() +
        "' was attacked behind its own defenses, and judged there: evaluate judges attacks that were made "
        "without (hijack attack without --defense).");
  for (auto& [plan, row] : trials) {
    if (config.victim.empty() && !plan.config.victim.empty())
      throw Error("The trial " + plan.id + " was attacked behind an API (" + plan.config.victim +
                  "): name whom to ask with --victim.");
    plan.config.victim.clear();  // the models are those of victim_models, or of folders
    if (!config.victim.empty()) plan.config.ensemble.clear(), plan.config.transfer.clear();
    plan.config.sampling = plan.config.sampling.or_given(config.sampling);
    hijack::check(plan.config.sampling, plan.config.behavior.name);
  }
  for (const auto& [plan, row] : trials) check_plan(plan, config.defense);
  return trials;
}

}  // namespace

bool evaluate_run(const std::filesystem::path& path, const EvaluateConfig& wanted, const RunHooks& hooks,
                  const ModelSource& models, const std::vector<std::string>& moved_models) {
  check(wanted);
  EvaluateConfig config = wanted;
  for (std::string& defense : config.defense.defenses)
    defense = with_own_model(public_defense(defense),
                             [](std::string& model) { model = model_folder(model).string(); });
  if (read_run(path).trials.empty())
    throw Error("The run '" + path.string() + "' has no finished trial to evaluate.");
  RunEvaluation evaluation(path, config, hooks, models, moved_models);
  auto trials = asked_trials(evaluation, config, path);
  const auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < trials.size(); ++i) {
    auto& [plan, row] = trials[i];
    hooks.machine.put_into(plan.config);
    use_threads(plan.config);
    try {
      if (hooks.stop.stop_requested() || !evaluation.trial(plan, *row)) return false;
      evaluation.note_victim();
    } catch (const AskingStopped&) {
      return false;
    } catch (const NotFinite& found) {
      explain(found, plan.config);
    }
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    const auto done = static_cast<int64_t>(i) + 1, all = static_cast<int64_t>(trials.size());
    if (hooks.on_evaluated)
      hooks.on_evaluated(done, all,
                         spent.count() / static_cast<double>(done) * static_cast<double>(all - done));
  }
  return true;
}

}  // namespace hijack
