#include <iostream>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/cli/commands.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_options.h"
#include "src/cli/run_session.h"
#include "src/cli/text.h"
#include "src/experiment/plan/recipe.h"
#include "src/experiment/report/recipe_tables.h"

namespace hijack::cli {
namespace {

struct ReproduceArguments {
  std::string name;
  std::string out;
  std::string second_model;
  bool list = false;
  bool resume = false;
  ModelOptions model;
};

int show_recipes() {
  for (const std::string& name : recipe_names(shipped_recipes())) {
    const Recipe recipe = read_recipe(name, shipped_recipes());
    std::cout << name << "\n    " << recipe.title << "; " << recipe.plans.size()
              << (recipe.plans.size() == 1 ? " trial" : " trials")
              << (recipe.evaluate ? ", then their defenses" : "") << "\n    " << recipe.paper
              << "\n    differs: " << recipe.departs << "\n";
  }
  return 0;
}

ModelChoice choice_of(const ModelOptions& options, const std::string& second_model) {
  ModelChoice choice;
  choice.second_model = second_model;
  choice.model = options.model;
  choice.device = options.device;
  choice.dtype = options.dtype;
  choice.views = options.views;
  choice.threads = options.threads;
  return choice;
}

std::string text_of(const std::vector<std::vector<std::vector<std::string>>>& tables) {
  std::string text;
  for (const auto& table : tables) text += table_text(table, output_width()) + "\n";
  return text;
}

/// False when stopped.
bool work(RunFolder& folder, const Recipe& recipe, const std::vector<std::string>& moved_models,
          const Interrupt& interrupt) {
  Progress progress;
  const RunHooks hooks = show_on(progress, interrupt.token());
  const ModelSource models = folder_models();
  if (!run_trials(folder, hooks, models)) return false;
  return !recipe.evaluate || evaluate_run(folder.path(), *recipe.evaluate, hooks, models, moved_models);
}

int reproduce(const ReproduceArguments& arguments) {
  if (arguments.list) return show_recipes();
  if (arguments.name.empty()) throw Error("No recipe was given; hijack reproduce --list shows them.");
  const Interrupt interrupt;
  const Recipe recipe =
      read_recipe(arguments.name, shipped_recipes(), choice_of(arguments.model, arguments.second_model));
  const std::filesystem::path out = arguments.out.empty() ? std::filesystem::path("runs") / recipe.name
                                                          : std::filesystem::path(arguments.out);
  const ModelSource models = folder_models();
  std::vector<std::string> given;
  for (const std::string& model : {arguments.model.model, arguments.second_model})
    if (!model.empty()) given.push_back(model);
  RunFolder folder = arguments.resume ? resume_run(out, recipe.plans, given)
                                      : begin_run(out, "reproduce " + recipe.name, recipe.plans, models);
  if (!work(folder, recipe, given, interrupt)) {
    std::cout << "Stopped; everything so far is saved. Go on with:\n  hijack reproduce " << recipe.name
              << " --out " << shell_word(out.string()) << " --resume" << std::endl;
    return 1;
  }
  const RunRecord run = read_run(out);
  write_file(out / "table.md", recipe_markdown(recipe, run));
  std::cout << recipe.title << "\n"
            << text_of(recipe_tables(recipe, run)) << "published  " << recipe.paper << "\ndiffers    "
            << recipe.departs << "\nreport     " << write_report(out).string() << std::endl;
  return 0;
}

}  // namespace

void add_reproduce(CLI::App& program, Action& chosen) {
  CLI::App* command =
      program.add_subcommand("reproduce", "do a published experiment again, beside its figures");
  auto arguments = std::make_shared<ReproduceArguments>();
  command->add_option("name", arguments->name, "recipe, or the file of one (.toml)")->type_name("NAME");
  command->add_flag("--list", arguments->list, "list the recipes, with paper and departures");
  command->add_option("--out", arguments->out, "run folder; default runs/ and the recipe's name")
      ->type_name("DIR");
  command->add_flag("--resume", arguments->resume, "go on with the stopped run");
  arguments->model.add_to(*command);
  command
      ->add_option("--second-model", arguments->second_model,
                   "where a recipe compares two models, the other one; empty = the shipped second training")
      ->type_name("DIR");
  command->callback([&chosen, arguments] { chosen = [arguments] { return reproduce(*arguments); }; });
}

}  // namespace hijack::cli
