#include <iostream>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/cli/commands.h"
#include "src/cli/defense_names.h"
#include "src/cli/field_options.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_options.h"
#include "src/cli/run_session.h"
#include "src/cli/text.h"
#include "src/experiment/evaluate/evaluate.h"
#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/aggregate/own_pictures.h"
#include "src/experiment/report/aggregate/survival.h"
#include "src/experiment/report/gate.h"
#include "src/experiment/report/report.h"

namespace hijack::cli {
namespace {

/// A stack without the parameters of its parts: the table has to fit a terminal.
std::string short_name(const std::string& stack) {
  if (stack.find(" + ") == std::string::npos) return stack;
  std::string name;
  bool parameters = false;
  for (size_t i = 0; i < stack.size(); ++i) {
    if (stack.compare(i, 3, " + ") == 0) parameters = false;
    if (stack[i] == ':') parameters = true;
    if (!parameters) name += stack[i];
  }
  return name;
}

/// Static beside adaptive where an adaptive attack was made: the larger of the two bounds what a defense
/// stops.
std::string defense_table(const RunRecord& run) {
  using report::shown;
  const auto all = report::defenses({run});
  const bool several = report::several_attacks(all);
  const bool adaptive = std::any_of(all.begin(), all.end(), [](const report::DefenseSummary& one) {
    return one.adaptive.n > 0 || one.text_adaptive.n > 0;
  });
  const bool text = std::all_of(run.trials.begin(), run.trials.end(), without_images);
  const std::string attack = text ? "attack" : "image";
  std::vector<std::string> names = {"defense", text ? "attack" : "image attack", "text suffix"};
  if (adaptive)
    names = {"defense", attack + ", static", attack + ", adaptive", "suffix, static", "suffix, adaptive"};
  if (several) names.insert(names.begin(), "attack");
  for (const char* name : {"suffix rejected", text ? "prompt alone" : "clean image", "benign rejected",
                           "benign correct", "s/reply"})
    names.emplace_back(name);
  std::vector<std::vector<std::string>> rows = {names};
  for (const report::DefenseSummary& one : all) {
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.3f", one.seconds_per_reply);
    std::vector<std::string> row = {short_name(one.defense) + (one.details.empty() ? "" : ", " + one.details),
                                    shown(one.attack)};
    if (several) row.insert(row.begin(), printable(one.attack_label));
    if (adaptive) row.push_back(shown(one.adaptive));
    row.push_back(shown(one.text_suffix));
    if (adaptive) row.push_back(shown(one.text_adaptive));
    for (const report::Rate* cell :
         {&one.text_rejected, &one.clean, &one.benign_rejected, &one.benign_correct})
      row.push_back(shown(*cell));
    row.emplace_back(std::isfinite(one.seconds_per_reply) ? seconds : "–");
    rows.push_back(std::move(row));
  }
  return table_text(rows, output_width());
}

/// What the saved images survive, a row for each trial and processing; "" where nobody asked.
std::string survival_text(const RunRecord& run) {
  const std::vector<report::Survival> all = report::survivals({run});
  if (all.empty()) return "";
  std::vector<std::vector<std::string>> rows = {{"processing"}};
  for (const report::Survival& one : all) rows[0].push_back(one.trial.label);
  for (const std::string& name : report::processing_names(all)) {
    rows.push_back({name});
    for (const report::Survival& one : all) rows.back().push_back(report::shown(success_after(one, name)));
  }
  return "what the saved images survive\n" + table_text(rows, output_width());
}

/// Cases of a test set about their own pictures; "" where nobody asked.
std::string own_pictures_text(const RunRecord& run) {
  const std::vector<report::OwnPictures> all = report::own_pictures({run});
  if (all.empty()) return "";
  std::vector<std::vector<std::string>> rows = {
      {"own pictures of", "defense", "obeyed or right", "rejected"}};
  for (const report::OwnPictures& one : all)
    rows.push_back({printable(one.set) + (one.whom.empty() ? "" : ", " + printable(one.whom)),
                    short_name(one.defense), report::shown(one.obeyed), report::shown(one.rejected)});
  return table_text(rows, output_width());
}

constexpr int kAboveLimit = 3;

/// --fail-above and --junit: what a build server asks for.
struct GateOptions {
  double limit = -1;  ///< -1 = no gate
  std::string junit;

  void add_to(CLI::App& command) {
    command
        .add_option(
            "--fail-above", limit,
            "for build servers: end with exit code 3 where the upper 95 % bound of the images' success "
            "behind a defense exceeds X (from 0 to below 1); everything is written all the same")
        ->type_name("X")
        ->group("Output");
    command
        .add_option("--junit", junit,
                    "with --fail-above: a JUnit file with a test case for each defense and trial")
        ->type_name("FILE")
        ->group("Output");
  }

  void check(const CLI::App& command) const {
    if (command.count("--fail-above") > 0 && !(limit >= 0 && limit < 1))
      throw Error("--fail-above must be from 0 to below 1 (.05 allows 5 % of the replies).");
    if (junit.empty()) return;
    if (limit < 0) throw Error("--junit needs --fail-above X, which says what a failed test is.");
    const std::filesystem::path folder = std::filesystem::absolute(junit).parent_path();
    if (!std::filesystem::is_directory(folder) || std::filesystem::is_directory(junit))
      throw Error("--junit '" + junit + "' cannot be written: it must be a file in a folder that exists.");
  }

  /// The exit code.
  int judge(const RunRecord& run, const std::set<std::string>& defenses) const {
    if (limit < 0) return 0;
    const std::vector<GateCase> cases = gate_cases(run, defenses, limit);
    if (!junit.empty()) write_file(junit, junit_report(cases, limit));
    const std::string sentence = gate_sentence(cases, limit);
    if (sentence.empty()) return 0;
    std::cout.flush();
    std::cerr << "hijack: " << printable(sentence, 2000) << std::endl;
    return kAboveLimit;
  }
};

struct EvaluateCommand {
  explicit EvaluateCommand(CLI::App& command) : app(command), flags(command, fields_of(config)) {
    command.add_option("run", run, "run folder of hijack attack or hijack run")->required()->type_name("RUN");
    command.get_option("--defense")->allow_extra_args(false);  // RUN may follow
    options.add_to(command);
    output.add_to(command, "rates, intervals and costs of each defense, as in hijack report --format json");
    gate.add_to(command);
    command.footer("'hijack defenses' lists the defenses, 'hijack defenses NAME' what can be set.");
  }

  void show_table(const RunRecord& record) const {
    const std::string report = write_report(run).string();
    if (!output.json) {
      std::cout << "success of the behavior on held-out contexts, and the cost on benign questions\n"
                << defense_table(record) << survival_text(record) << own_pictures_text(record) << "report  "
                << report << std::endl;
      return;
    }
    print_defenses(record);
  }

  int act() {
    output.apply();
    const Interrupt interrupt;
    flags.apply();
    gate.check(app);
    note_former_names(config.defense.defenses);
    std::set<std::string> defenses;
    bool done = false;
    {
      Progress progress;
      const Machine machine = options.machine();
      RunHooks hooks = show_on(progress, interrupt.token(), machine);
      hooks.on_stack = [&](const std::string& stack) {
        if (stack != "none") defenses.insert(stack);
      };
      done = evaluate_run(run, config, hooks, folder_models(machine), options.models);
    }
    if (!done) {
      output.text() << "Stopped; what was asked is saved. The same command goes on." << std::endl;
      return 1;
    }
    const RunRecord record = read_run(run);
    show_table(record);
    return gate.judge(record, defenses);
  }

  CLI::App& app;
  EvaluateConfig config;
  MachineOptions options;
  OutputOptions output;
  GateOptions gate;
  std::string run;
  FieldOptions flags;
};

}  // namespace

void add_evaluate(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand("evaluate", "measure defenses on the saved images of a run");
  auto evaluate = std::make_shared<EvaluateCommand>(*command);
  command->callback([&chosen, evaluate] { chosen = [evaluate] { return evaluate->act(); }; });
}

}  // namespace hijack::cli
