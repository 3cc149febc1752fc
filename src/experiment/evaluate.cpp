#include "src/experiment/evaluate.h"

#include <chrono>

#include "attacks/text/gcg.h"
#include "attacks/text/suffix.h"
#include "attacks/text/suffixed.h"
#include "defenses/make_defense.h"
#include "defenses/pipeline.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/experiment/defense_setup.h"
#include "src/pocket/contexts.h"
#include "src/pocket/grammar.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr size_t kReplyBatch = 25;
constexpr uint64_t kUtilitySeed = 0x07e57;

/// One thing to ask, and how its reply is judged.
struct Question {
  std::string condition;
  Submission submission;
  std::optional<Exercise> exercise = {};  ///< benign: what the right answer is
  std::string suffix = {};                ///< that was put after the user's prompt
};

class TrialEvaluation {
 public:
  TrialEvaluation(const TrialSetup& setup, const RunRecord& run, const TrialRow& trial,
                  const EvaluateConfig& config)
      : setup_(setup), run_(run), trial_(trial), config_(config) {
    origin_ = load_image(run.folder / trial.origin_file);
    adversarial_ = load_image(run.folder / trial.image_file);
    model_ = bare_model(setup.model, setup.reply_tokens);
    for (const ReplyRow& row : run.replies)
      if (row.trial == trial.id && (row.split == "test" || row.condition == "benign"))
        asked_.insert(row.condition + "\n" + row.defense);
  }

  std::vector<DefenseStack> stacks() const;
  /// The text-side control: a suffix found by GCG on training contexts.
  std::string suffix(const RunHooks& hooks) const;
  std::vector<Question> questions(const std::string& suffix, bool with_utility) const;
  std::vector<ReplyRow> ask(const DefenseStack& stack, const std::vector<Question>& questions) const;

 private:
  ReplyRow row_of(const Question& question, const Reply& reply) const;

  const TrialSetup& setup_;
  const RunRecord& run_;
  const TrialRow& trial_;
  const EvaluateConfig& config_;
  Tensor origin_;
  Tensor adversarial_;
  Responder model_;
  std::set<std::string> asked_;  ///< condition and defense
};

std::vector<DefenseStack> TrialEvaluation::stacks() const {
  DefenseResources resources =
      defense_resources(setup_.model, setup_.contexts.calibration, origin_, setup_.reply_tokens);
  resources.false_positive_rate = config_.false_positive_rate;
  std::vector<DefenseStack> stacks = {{}};
  DefenseStack all;
  for (const std::string& text : config_.defenses) {
    all.push_back(make_defense(parse_defense(text), resources));
    stacks.push_back({all.back()});
  }
  if (config_.stack && all.size() > 1) stacks.push_back(all);
  return stacks;
}

std::string TrialEvaluation::suffix(const RunHooks& hooks) const {
  GcgHooks gcg;
  gcg.stop = hooks.stop;
  gcg.after_step = [&](int64_t step, double loss) {
    if (hooks.on_step) hooks.on_step({trial_.id + " suffix", step, config_.suffix.steps, loss});
  };
  GcgConfig search = config_.suffix;
  // behaviors that lead away from a reply have no target that a text could force: plain gibberish
  const std::string objective = setup_.behavior->default_objective();
  if (objective != "behavior" && objective != "prompt") search.steps = 0;
  return gcg_suffix(*setup_.model, origin_.to(setup_.model->device()), setup_.contexts.train,
                    *setup_.behavior, search, trial_.seed, gcg)
      .suffix;
}

std::vector<Question> TrialEvaluation::questions(const std::string& suffix, bool with_utility) const {
  std::vector<Question> all;
  const auto asked = [](const Context& context, const std::string& ending) {
    return ending.empty() ? context : with_suffix(context, ending);
  };
  for (const Context& context : setup_.contexts.test)
    all.push_back({"attack", {adversarial_, asked(context, trial_.suffix)}, {}, trial_.suffix});
  for (const Context& context : setup_.contexts.test) all.push_back({"clean", {origin_, context}});
  for (const Context& context : setup_.contexts.test)
    all.push_back({"text_suffix", {origin_, with_suffix(context, suffix)}, {}, suffix});
  if (!with_utility) return all;
  for (const UtilityItem& item : utility_set(Texts::kNatural, config_.utility, kUtilitySeed)) {
    const Tensor image = item.image.defined() ? from_bytes(item.image).unsqueeze(0) : origin_;
    all.push_back({"benign", {image, {.prompt = item.exercise.prompt}}, item.exercise});
  }
  return all;
}

ReplyRow TrialEvaluation::row_of(const Question& question, const Reply& reply) const {
  ReplyRow row;
  row.trial = trial_.id;
  row.condition = question.condition;
  row.split = "test";
  row.context = question.submission.query;
  row.reply = reply.text;
  row.rejected = reply.rejected;
  row.trace = reply.trace;
  if (question.exercise) {
    row.expected = question.exercise->answer;
    row.correct = !reply.rejected && graded_right(*question.exercise, reply.text);
    return row;
  }
  // what the user said decides, without a suffix
  std::shared_ptr<const Behavior> behavior = setup_.behavior;
  if (!question.suffix.empty()) behavior = std::make_shared<SuffixedBehavior>(behavior, question.suffix);
  row.exact = !reply.rejected && behavior->succeeded(row.context, reply.text);
  row.contained = !reply.rejected && behavior->contained(row.context, reply.text);
  return row;
}

std::vector<ReplyRow> TrialEvaluation::ask(const DefenseStack& stack,
                                           const std::vector<Question>& questions) const {
  const std::string name = stack_name(stack);
  const Responder responder = protect(stack, model_);
  std::vector<const Question*> open;
  for (const Question& question : questions)
    if (!asked_.contains(question.condition + "\n" + name)) open.push_back(&question);
  std::vector<ReplyRow> rows;
  for (size_t begin = 0; begin < open.size(); begin += kReplyBatch) {
    const size_t end = std::min(open.size(), begin + kReplyBatch);
    std::vector<Submission> submissions;
    for (size_t i = begin; i < end; ++i) submissions.push_back(open[i]->submission);
    const auto start = std::chrono::steady_clock::now();
    const std::vector<Reply> replies = responder(submissions);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    for (size_t i = begin; i < end; ++i) {
      rows.push_back(row_of(*open[i], replies[i - begin]));
      rows.back().defense = name;
      rows.back().seconds = seconds.count() / static_cast<double>(end - begin);
    }
  }
  return rows;
}

/// Adds what is new to the manifest's calibrations (one per defense).
void record_calibrations(json& manifest, const std::vector<DefenseStack>& stacks) {
  json& list = manifest["calibrations"];
  if (!list.is_array()) list = json::array();
  for (const DefenseStack& stack : stacks) {
    if (stack.size() != 1) continue;
    for (const Calibration& calibration : stack_calibrations(stack)) {
      const json entry = {{"defense", calibration.name},
                          {"threshold", calibration.threshold},
                          {"quantile", calibration.quantile},
                          {"n", calibration.n},
                          {"fitted_on", calibration.n > 0 ? "split calibration" : "given by the user"},
                          {"evaluated_on", "split test and the utility questions"}};
      if (std::find(list.begin(), list.end(), entry) == list.end()) list.push_back(entry);
    }
  }
}

/// The suffix of a trial, made once and kept in the manifest, so that a later evaluation compares like with
/// like.
std::string kept_suffix(json& manifest, const TrialEvaluation& evaluation, const std::string& trial,
                        const EvaluateConfig& config, const RunHooks& hooks) {
  const auto note = [&](const char* text) {
    if (hooks.on_note) hooks.on_note(trial + ": " + text);
  };
  GcgConfig suffix_config = config.suffix;
  const json made_by = fields_to_json(fields_of(suffix_config));
  json& suffixes = manifest["text_suffixes"];
  if (!suffixes.is_object()) suffixes = json::object();
  json& kept = suffixes[trial];
  if (!kept.is_object() || !kept.contains("text") || !kept["text"].is_string()) {
    note("searching the text-side control (GCG)");
    kept = {{"text", evaluation.suffix(hooks)}, {"made_by", made_by}};
  } else if (kept.value("made_by", json()) != made_by) {
    note("keeping the text-side control of the first evaluation, made with other settings");
  }
  return kept["text"].get<std::string>();
}

const TrialRow* row_of_plan(const RunRecord& run, const TrialPlan& plan) {
  for (const TrialRow& row : run.trials)
    if (row.id == plan.id) return &row;
  return nullptr;
}

void check(const EvaluateConfig& config) {
  if (config.defenses.empty())
    throw Error(
        "No defense was given; name one with --defense jpeg:quality=75 (hijack evaluate --help lists them).");
  for (const std::string& defense : config.defenses) parse_defense(defense);
  if (config.utility < 0 || config.utility > 10'000) throw Error("--utility must be from 0 to 10000.");
  if (config.false_positive_rate < 0 || config.false_positive_rate >= 1)
    throw Error("--false-positive-rate must be at least 0 and below 1.");
}

}  // namespace

bool evaluate_run(const std::filesystem::path& path, const EvaluateConfig& config, const RunHooks& hooks,
                  const ModelSource& models) {
  check(config);
  const RunRecord run = read_run(path);
  if (run.trials.empty()) throw Error("The run '" + path.string() + "' has no finished trial to evaluate.");
  const RunFolder folder = RunFolder::open(path);
  json manifest = run.manifest;
  std::set<std::string> utility_done;  // the questions do not depend on the trial: once per model
  for (const TrialPlan& plan :
       plans_from_json(manifest.value("plans", json()), (path / "manifest.json").string())) {
    const TrialRow* trial = row_of_plan(run, plan);
    if (!trial) continue;
    const TrialSetup setup = set_up(plan, models(plan.config));
    const TrialEvaluation evaluation(setup, run, *trial, config);
    const auto stacks = evaluation.stacks();
    const bool with_utility = utility_done.insert(plan.config.model).second;
    const auto questions =
        evaluation.questions(kept_suffix(manifest, evaluation, plan.id, config, hooks), with_utility);
    if (hooks.stop.stop_requested()) return false;  // a suffix whose search was cut short is not kept
    record_calibrations(manifest, stacks);
    folder.write_manifest(manifest);
    for (const DefenseStack& stack : stacks) {
      if (hooks.stop.stop_requested()) return false;
      if (hooks.on_note) hooks.on_note(plan.id + ": defense " + stack_name(stack));
      folder.add_replies(evaluation.ask(stack, questions));
    }
  }
  return true;
}

}  // namespace hijack
