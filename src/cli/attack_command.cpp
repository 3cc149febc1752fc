#include <iostream>

#include "defenses/make_defense.h"
#include "src/base/error.h"
#include "src/cli/commands.h"
#include "src/cli/field_options.h"
#include "src/cli/interrupt.h"
#include "src/cli/run_session.h"
#include "src/experiment/presets.h"

namespace hijack::cli {
namespace {

struct AttackCommand {
  explicit AttackCommand(CLI::App& command) : flags(command, fields_of(config)) {
    command.add_option("--config", file, "TOML file of these settings; flags override it")->type_name("FILE");
    command.add_option("--preset", preset, "a published attack; --config and flags override it")
        ->type_name("NAME");
    command.add_flag("--list-presets", list, "list the published attacks, with paper and departures");
    command.add_option("--out", out, "run folder to make; default runs/NAME")->type_name("DIR");
    command.add_flag("--resume", resume, "go on with the stopped run in --out");
    command.footer("Defenses:\n" + defense_help());
  }

  std::vector<TrialPlan> plans() {
    std::set<std::string> given;
    if (!preset.empty()) given = apply_preset(preset, shipped_presets(), config);
    if (!file.empty()) given.merge(read_config(file, config));
    given.merge(flags.apply());
    if (resume && given.empty()) return {};
    resolve(config, given);
    return plan_trials(config);
  }

  static int show_presets() {
    for (const Preset& one : list_presets(shipped_presets()))
      std::cout << one.name << "\n    " << one.paper << "\n    departs: " << one.departs << "\n";
    return 0;
  }

  int act() {
    if (list) return show_presets();
    const Interrupt interrupt;
    const auto planned = plans();
    if (resume && out.empty()) throw Error("--resume needs the run folder: --out DIR.");
    const auto folder = !out.empty() ? std::filesystem::path(out) : free_run_folder(planned[0].id);
    const ModelSource models = folder_models();
    RunFolder run = resume ? resume_run(folder, planned) : begin_run(folder, "attack", planned, models);
    return finish_run(run, "attack", interrupt, models);
  }

  AttackConfig config;
  std::string file;
  std::string out;
  std::string preset;
  bool list = false;
  bool resume = false;
  FieldOptions flags;
};

}  // namespace

void add_attack(CLI::App& program, Action& chosen) {
  CLI::App* command =
      program.add_subcommand("attack", "find an image that steers the model, and prove it on the saved file");
  auto attack = std::make_shared<AttackCommand>(*command);
  command->callback([&chosen, attack] { chosen = [attack] { return attack->act(); }; });
}

}  // namespace hijack::cli
