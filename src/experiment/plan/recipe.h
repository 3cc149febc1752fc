#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "src/experiment/plan/evaluate_config.h"
#include "src/experiment/plan/inside_config.h"
#include "src/experiment/plan/plan.h"
#include "src/experiment/plan/probe_questions.h"

namespace hijack {

/// A published experiment as data: a TOML file in samples/recipes. A new recipe is a new file.
///
///     title = "…"  paper = "…"  departs = "how this differs from the paper"
///     columns = "behavior"         optional: the table has a column for each behavior, a row for each
///                                  constraint; for grids that no paper published
///     [attack] and [[grid]]        as in experiment files; pictures and contexts lie beside the shipped
///     ones,
///                                  models are "first" (the shipped one), "second" (its sister), or a short
///                                  name (smollm2)
///     [evaluate]                   optional: fields of hijack evaluate
///     [inside]                     optional: fields of hijack inside
///     [probe]                      optional: fields of hijack probe
///     [[published]]                one line of the paper's table
///     row = "string, linf 8/255"   a setting, or a defense as it is written
///     value = "99 %"
struct Recipe {
  std::string name;  ///< of the file, without .toml
  std::string title;
  std::string paper;
  std::string departs;
  std::vector<TrialPlan> plans = {};
  std::optional<EvaluateConfig> evaluate = {};
  std::optional<InsideConfig> inside = {};
  std::optional<ProbeConfig> probe = {};
  struct Published {
    std::string row;
    std::string value;
  };
  std::vector<Published> published = {};
  bool behavior_columns = false;
  std::string missing = {};  ///< describe_recipe: why there are no plans; "" = they are there
};

/// The folder of the shipped ones: shipped_data()/recipes.
std::filesystem::path shipped_recipes();

/// Of all files of a folder, without .toml, sorted. Throws Error when there is no such folder.
std::vector<std::string> recipe_names(const std::filesystem::path& folder);

/// What the user sets instead of the recipe; the rest stays.
struct ModelChoice {
  std::string model;         ///< in the role "first", which is every trial's unless the recipe says otherwise
  std::string second_model;  ///< in the role "second", for transfer
  std::string device = "cpu";
  std::string dtype = "auto";
  std::string views = "all";
  std::string vision_tower;
  std::string adapter;
  int64_t max_pixels = 0;
  int64_t threads = 0;
};

/// name: of a recipe in `folder`, or a recipe file of the user's own (.toml), whose files lie beside it or
/// are shipped. Throws Error for an unknown name (naming the nearest) and for a file that is no recipe.
Recipe read_recipe(const std::string& name, const std::filesystem::path& folder,
                   const ModelChoice& choice = {});

/// A shipped recipe for a list: one whose model has to be made first has no plans, and says so.
Recipe describe_recipe(const std::string& name, const std::filesystem::path& folder);

}  // namespace hijack
