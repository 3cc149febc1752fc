#include "src/experiment/plan/surrogates.h"

#include "src/base/error.h"

namespace hijack {
namespace {

/// What is about replies, and makes no sense where nobody gives any.
constexpr const char* kAboutReplies[] = {
    "contexts",  "train",        "validation", "test",         "ensemble",       "transfer",
    "templates", "cropa_radius", "defense",    "adaptive",     "max_new_tokens", "temperature",
    "samples",   "target",       "targets",    "vision_tower", "adapter",        "stop_at"};

/// Every encoder is a column of its own.
void check_folders(const SurrogateConfig& surrogate) {
  std::set<std::string> names;
  for (const auto& [flag, folders] :
       {std::pair("--surrogate", &surrogate.folders), {"--transfer-encoder", &surrogate.held_out}})
    for (const std::string& folder : *folders) {
      if (!std::filesystem::is_directory(folder))
        throw Error("There is no encoder folder '" + folder + "'; " + flag +
                    " takes folders of CLIP, SigLIP or DINOv2, or of a vision-language model.");
      if (!names.insert(model_name(folder)).second)
        throw Error(std::string(flag) + " '" + folder +
                    "' has the same name as another encoder of this attack; rename or link the folder, so "
                    "that rows can tell them apart.");
    }
  for (const std::string& file : surrogate.auxiliary_images)
    if (!std::filesystem::is_regular_file(file)) throw Error("There is no image file '" + file + "'.");
}

/// Loss ratios are the objective's memory, which only the outermost objective can keep.
void check_ratio(const AttackConfig& config, const std::vector<ObjectiveTerm>& terms) {
  if (config.surrogate.weights != "ratio") return;
  const bool alone = std::all_of(terms.begin(), terms.end(), is_of_encoders);
  const bool wrapped = config.augmentation.any() || config.universal || config.queries > 0 ||
                       config.defense.adaptive || config.constraint.name == "moving_patch";
  if (!alone || wrapped || config.optimizer.name == "cwa")
    throw Error(
        "--surrogate-weights ratio compares the losses of one image from step to step: it goes with one "
        "photo, objectives over surrogates alone, and without --augment, --universal, --queries, --adaptive, "
        "moving_patch and cwa.");
}

/// The bandit learns from the losses of one step after the other, which are those of other surrogates each.
void check_choice(const AttackConfig& config) {
  if (!config.surrogate.choice.chooses(config.surrogate.folders.size())) return;
  const std::string some = "--surrogates-per-step takes other surrogates at each step, ";
  if (config.surrogate.weights == "ratio")
    throw Error(some + "but --surrogate-weights ratio compares the losses of each: leave one out.");
  if (config.optimizer.name == "cwa")
    throw Error(some + "but the optimizer cwa goes around all of them: use pgd.");
  if (make_optimizer(config.optimizer, read_constraint(config.constraint))->needs_deterministic_objective())
    throw Error(some + "but the optimizer " + config.optimizer.name +
                " compares losses between steps: use pgd.");
  if (config.restarts > 0)
    throw Error(some + "and --restarts would begin to learn anew which: leave one out.");
  if (config.cropa.radius > 0)
    throw Error(some + "which does not go with adversarial prompts (--cropa-radius): leave one out.");
}

void check_without_surrogates(const SurrogateConfig& given) {
  const SurrogateConfig none;
  const bool changed = !given.held_out.empty() || !given.auxiliary_images.empty() ||
                       given.source_crop != none.source_crop || given.target_crop != none.target_crop ||
                       given.crops != none.crops || given.target_rotation != none.target_rotation ||
                       given.weights != none.weights || given.choice.per_step != none.choice.per_step ||
                       given.choice.rule != none.choice.rule || given.choice.every != none.choice.every ||
                       given.choice.exploration != none.choice.exploration ||
                       given.choice.memory != none.choice.memory;
  if (changed)
    throw Error(
        "--transfer-encoder, --source-crop, --target-crop, --crops, --target-rotation, --auxiliary-image, "
        "--surrogate-weights, --surrogates-per-step and --surrogate-choice are about image encoders: name "
        "some with --surrogate.");
}

}  // namespace

void settle_surrogates(AttackConfig& config, const std::set<std::string>& given) {
  const bool alone = config.surrogate.any() && config.model.empty();
  if (!alone) {
    if (asks_nobody(config))
      throw Error(
          "behavior resemble asks no model: give --surrogate and leave --model out, or choose another "
          "behavior.");
    return;
  }
  if (given.contains("behavior") && !asks_nobody(config))
    throw Error("behavior " + config.behavior.name.substr(0, 40) +
                " is something that a model says, and --surrogate alone asks none: give --model as well, or "
                "leave --behavior out.");
  for (const char* name : kAboutReplies)
    if (given.contains(name))
      throw Error(flag_name(name) +
                  " is about what a model says, and --surrogate alone asks none: give --model as well, or "
                  "leave it out.");
  config.model = config.surrogate.folders.front();
  config.behavior = {.name = "resemble"};
  config.contexts.clear();
  if (config.objective.formula.empty() && config.objective.feature_image.empty() &&
      config.objective.feature_text.empty())
    throw Error(
        "--surrogate: say what the image shall be taken for with --feature-image or --feature-text, or lead "
        "it away from what it shows with --objective away --random-start true.");
}

bool uses_surrogates(const AttackConfig& config) {
  const auto terms = parse_objective(config.objective, *make_behavior(config.behavior));
  return std::any_of(terms.begin(), terms.end(), is_of_encoders);
}

void check_surrogates(const AttackConfig& config, const Behavior& behavior) {
  const auto terms = parse_objective(config.objective, behavior);
  const auto of_encoders = std::find_if(terms.begin(), terms.end(), is_of_encoders);
  if (!config.surrogate.any()) {
    check_without_surrogates(config.surrogate);
    if (of_encoders != terms.end())
      throw Error("objective " + of_encoders->name +
                  " compares what image encoders see: name their folders with --surrogate.");
    return;
  }
  check(config.surrogate);
  check_folders(config.surrogate);
  if (of_encoders == terms.end())
    throw Error("--surrogate: the objective " + terms.front().name +
                " is not about image encoders; use embedding, transport or away.");
  if (asks_nobody(config) && !std::all_of(terms.begin(), terms.end(), is_of_encoders))
    throw Error(
        "--surrogate alone asks no model, but the objective has a term that needs one: give --model.");
  if (config.method != "image")
    throw Error("--surrogate works on pixels: use --method image, not " + config.method + ".");
  if (terms.size() == 1 && terms.front().name == "away" && !config.random_start)
    throw Error(
        "objective away has no gradient at the clean photo, where it starts: give --random-start true.");
  if (!config.surrogate.auxiliary_images.empty() && config.objective.feature_image.empty())
    throw Error("--auxiliary-image stands beside a target picture: give --feature-image, too.");
  check_ratio(config, terms);
  check_choice(config);
}

}  // namespace hijack
