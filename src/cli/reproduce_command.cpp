#include <iostream>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/cli/commands.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_options.h"
#include "src/cli/run_session.h"
#include "src/cli/text.h"
#include "src/experiment/evaluate/evaluate.h"
#include "src/experiment/inside/held_out.h"
#include "src/experiment/inside/probe.h"
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
  OutputOptions output;
};

std::string size_of(const Recipe& recipe) {
  if (!recipe.missing.empty()) return "attacks";  // their number is read with the model
  return std::to_string(recipe.plans.size()) + (recipe.plans.size() == 1 ? " trial" : " trials");
}

int show_recipes(const OutputOptions& output) {
  for (const std::string& name : recipe_names(shipped_recipes())) {
    const Recipe recipe = describe_recipe(name, shipped_recipes());
    if (output.json) {
      print_row("recipe", {{"name", name},
                           {"title", recipe.title},
                           {"trials", recipe.plans.size()},
                           {"evaluates", recipe.evaluate.has_value()},
                           {"looks_inside", recipe.inside.has_value()},
                           {"probes", recipe.probe.has_value()},
                           {"paper", recipe.paper},
                           {"differs", recipe.departs},
                           {"missing", recipe.missing}});
      continue;
    }
    std::cout << name << "\n    " << recipe.title << "; " << size_of(recipe)
              << (recipe.evaluate ? ", then their defenses" : "")
              << (recipe.inside ? ", then what is seen inside" : "")
              << (recipe.probe ? ", then what they taught" : "") << "\n    " << recipe.paper
              << "\n    differs: " << recipe.departs << "\n"
              << (recipe.missing.empty() ? "" : "    not ready: " + recipe.missing + "\n");
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
  choice.vision_tower = options.vision_tower;
  choice.adapter = options.adapter;
  choice.max_pixels = options.max_pixels;
  choice.threads = options.threads;
  return choice;
}

std::string text_of(const std::vector<std::vector<std::vector<std::string>>>& tables) {
  std::string text;
  for (const auto& table : tables) text += table_text(table, output_width()) + "\n";
  return text;
}

/// Each row of a table by the names of its columns.
void print_tables(const std::vector<std::vector<std::vector<std::string>>>& tables,
                  const std::filesystem::path& run) {
  for (size_t t = 0; t < tables.size(); ++t) {
    for (size_t r = 1; r < tables[t].size(); ++r) {
      nlohmann::json cells = nlohmann::json::object();
      for (size_t i = 0; i < tables[t][r].size(); ++i) cells[tables[t][0][i]] = tables[t][r][i];
      print_row("table", {{"table", t + 1}, {"cells", cells}, {"run", run.string()}});
    }
  }
}

/// False when stopped.
bool work(RunFolder& folder, const Recipe& recipe, const std::vector<std::string>& moved_models,
          const Interrupt& interrupt, const OutputOptions& output) {
  Progress progress;
  RunHooks hooks = show_on(progress, interrupt.token());
  show_rows(hooks, folder.path(), output);
  const ModelSource models = folder_models();
  if (!run_trials(folder, hooks, models)) return false;
  if (recipe.evaluate && !evaluate_run(folder.path(), *recipe.evaluate, hooks, models, moved_models))
    return false;
  if (recipe.inside && read_run(folder.path()).inside.empty() &&
      measure_inside(folder.path(), *recipe.inside, hooks, moved_models).empty())
    return false;
  return !recipe.probe || probe_run(folder.path(), *recipe.probe, hooks, moved_models);
}

/// What is done of a stopped run stands in its table, too.
void say_stopped(const ReproduceArguments& arguments, const Recipe& recipe,
                 const std::filesystem::path& out) {
  std::ostream& text = arguments.output.text();
  const RunRecord run = read_run(out);
  text << "Stopped; everything so far is saved";
  if (!run.trials.empty()) {
    write_file(out / "table.md", recipe_markdown(recipe, run));
    const auto planned = std::count_if(run.trials.begin(), run.trials.end(), [&](const TrialRow& row) {
      return std::any_of(recipe.plans.begin(), recipe.plans.end(),
                         [&](const TrialPlan& plan) { return plan.id == row.id; });
    });
    text << " (" << planned << " of " << recipe.plans.size() << " trials";
    if (const auto more = static_cast<int64_t>(run.trials.size()) - planned; more > 0)
      text << " and " << more << " through defenses";
    text << ": " << (out / "table.md").string() << ")";
  }
  text << ". Go on with:\n  hijack reproduce " << shell_word(arguments.name) << " --out "
       << shell_word(out.string()) << " --resume" << std::endl;
}

void show_result(const ReproduceArguments& arguments, const Recipe& recipe,
                 const std::filesystem::path& out) {
  const RunRecord run = read_run(out);
  write_file(out / "table.md", recipe_markdown(recipe, run));
  const std::string report = write_report(out).string();
  if (arguments.output.json) {
    print_defenses(run);
    return print_tables(recipe_tables(recipe, run), out);
  }
  std::cout << recipe.title << "\n"
            << text_of(recipe_tables(recipe, run)) << "published  " << recipe.paper << "\ndiffers    "
            << recipe.departs << "\nreport     " << report << std::endl;
}

int reproduce(const ReproduceArguments& arguments) {
  arguments.output.apply();
  if (arguments.list) return show_recipes(arguments.output);
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
  if (!work(folder, recipe, given, interrupt, arguments.output)) {
    say_stopped(arguments, recipe, out);
    return 1;
  }
  show_result(arguments, recipe, out);
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
  arguments->output.add_to(
      *command, "the rows of trials as they are done, of defenses, and of the tables beside the paper");
  command->callback([&chosen, arguments] { chosen = [arguments] { return reproduce(*arguments); }; });
}

}  // namespace hijack::cli
