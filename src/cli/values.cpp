#include "src/cli/values.h"

#include "attacks/behavior.h"
#include "attacks/constraint.h"
#include "attacks/objectives/make_objective.h"
#include "attacks/optimizer.h"
#include "attacks/text/typographic.h"
#include "attacks/wrappers/augmentation.h"
#include "defenses/make_defense.h"
#include "models/dtype.h"
#include "models/preprocess/resizer.h"
#include "models/state_hooks.h"
#include "src/experiment/plan/judges.h"
#include "src/experiment/plan/methods.h"
#include "src/experiment/plan/presets.h"
#include "src/experiment/plan/recipe.h"
#include "src/experiment/report/report.h"
#include "src/training/robust_tower.h"
#include "src/training/sae_loss.h"

namespace hijack::cli {
namespace {

using Names = std::vector<std::string>;

Names shipped_preset_names() {
  Names names;
  for (const Preset& preset : list_presets(shipped_presets())) names.push_back(preset.name);
  return names;
}
Names shipped_recipe_names() {
  return recipe_names(shipped_recipes());
}

struct Named {
  const char* name;  ///< a flag of any command, "command positional", or "command --NAME", which goes first
  Names (*names)();
};
/// Values that are one of a few names.
constexpr Named kNamed[] = {
    {"--activation-checkpointing",
     [] {
       return Names{"auto", "on", "off"};
     }},
    {"--architecture", sae_architecture_names},
    {"--augment", augmentation_names},
    {"--behavior", behavior_names},
    {"--constraint", constraint_names},
    {"--cropa-norm",
     [] {
       return Names{"linf", "l2"};
     }},
    {"--defense", defense_names},
    {"--device",
     [] {
       return Names{"cpu", "cuda"};
     }},
    {"--dtype", dtype_names},
    {"--filter", resizer_names},
    {"--format", report_formats},
    {"--hook", hook_point_names},
    {"--judge", judge_names},
    {"--method", method_names},
    {"--objective", objective_names},
    {"--optimizer", optimizer_names},
    {"--preset", shipped_preset_names},
    {"--query-score",
     [] {
       return Names{"auto", "log-likelihood", "success"};
     }},
    {"--rubric", rubric_names},
    {"--space",
     [] {
       return Names{"input", "photo"};
     }},
    {"--split",
     [] {
       return Names{"train", "validation", "test", "calibration"};
     }},
    {"--surrogate-choice",
     [] {
       return Names{"all", "random", "ucb"};
     }},
    {"--surrogate-weights",
     [] {
       return Names{"equal", "ratio"};
     }},
    {"--text-style", text_styles},
    {"--tokens", token_choice_names},
    {"--views",
     [] {
       return Names{"all", "one"};
     }},
    {"completion shell",
     [] {
       return Names{"bash", "zsh"};
     }},
    {"defenses name", defense_names},
    {"reproduce name", shipped_recipe_names},
    {"robust-tower --method", robust_methods},
};

constexpr const char* kFileFlags[] = {"--image",           "--held-out-image",  "--targets",  "--mask",
                                      "--feature-image",   "--templates",       "--font",     "--contexts",
                                      "--scaling-picture", "--auxiliary-image", "--questions"};
constexpr const char* kFolderFlags[] = {"--model",    "--vision-tower", "--adapter",   "--images",
                                        "--ensemble", "--transfer",     "--surrogate", "--transfer-encoder",
                                        "--cache",    "--sae"};

const Named* find_named(const std::string& name) {
  const auto* found =
      std::find_if(std::begin(kNamed), std::end(kNamed), [&](const Named& one) { return name == one.name; });
  return found == std::end(kNamed) ? nullptr : found;
}

bool is_one_of(const std::string& flag, std::span<const char* const> flags) {
  return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

}  // namespace

std::string type_of_flag(const std::string& flag) {
  if (is_one_of(flag, kFileFlags)) return "FILE";
  if (is_one_of(flag, kFolderFlags)) return "DIR";
  return find_named(flag) && flag != "--objective" ? "NAME" : "";
}

Values values_of(const CLI::App& command, const CLI::Option& option) {
  const bool positional = option.get_positional();
  if (!positional && option.get_expected_max() == 0) return {Values::Kind::kNothing};
  const std::string name =
      positional ? command.get_name() + " " + option.get_name() : "--" + option.get_lnames().at(0);
  for (const std::string& known : {command.get_name() + " " + name, name})
    if (const Named* named = find_named(known)) return {Values::Kind::kNames, named->names()};
  const std::string type = option.get_type_name();
  if (type.starts_with("FILE")) return {Values::Kind::kFiles};
  if (type.starts_with("DIR") || type.starts_with("RUN")) return {Values::Kind::kFolders};
  return {};
}

}  // namespace hijack::cli
