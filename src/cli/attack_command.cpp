#include <iostream>

#include "defenses/make_defense.h"
#include "src/base/error.h"
#include "src/base/profile.h"
#include "src/cli/commands.h"
#include "src/cli/field_options.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_options.h"
#include "src/cli/run_session.h"
#include "src/experiment/plan/presets.h"

namespace hijack::cli {
namespace {

constexpr int64_t kProfiledFrom = 1;  // the first step also warms up
constexpr int64_t kProfiledTo = 4;

struct AttackCommand {
  explicit AttackCommand(CLI::App& command) : flags(command, fields_of(config)) {
    command.add_option("--config", file, "TOML file of these settings; flags override it")->type_name("FILE");
    command.add_option("--preset", preset, "a published attack; --config and flags override it")
        ->type_name("NAME");
    command.add_flag("--list-presets", list, "list the published attacks, with paper and departures");
    command.add_option("--out", out, "run folder to make; default runs/NAME")->type_name("DIR");
    checkpointing.add_to(command);
    command
        .add_option("--profile", profile,
                    "write a trace of the steps 2 to 4 for ui.perfetto.dev, and print the top operators")
        ->type_name("FILE");
    command.add_flag("--resume", resume, "go on with the stopped run in --out");
    command.footer("Defenses:\n" + defense_help());
  }

  std::vector<TrialPlan> plans() {
    std::set<std::string> given;
    if (!preset.empty()) given = apply_preset(preset, shipped_presets(), config);
    if (!file.empty()) given.merge(read_config(file, config));
    given.merge(flags.apply());
    if (resume && only_the_machine(given)) return {};
    resolve(config, given);
    return plan_trials(config);
  }

  /// With --resume, --model, --device and --threads say how to go on, not what the run is.
  bool only_the_machine(const std::set<std::string>& given) {
    for (const std::string& name : given)
      if (name != "model" && name != "device" && name != "threads") return false;
    if (given.contains("model")) moved_models = {config.model};
    if (given.contains("device")) machine.device = config.device;
    if (given.contains("threads")) machine.threads = config.threads;
    return true;
  }

  static int show_presets() {
    for (const Preset& one : list_presets(shipped_presets()))
      std::cout << one.name << "\n    " << one.paper << "\n    departs: " << one.departs << "\n";
    return 0;
  }

  int act() {
    if (list) return show_presets();
    checkpointing.apply();
    const Interrupt interrupt;
    const auto planned = plans();
    if (resume && out.empty()) throw Error("--resume needs the run folder: --out DIR.");
    const auto folder = !out.empty() ? std::filesystem::path(out) : free_run_folder(planned[0].id);
    const ModelSource models = folder_models(machine);
    RunFolder run =
        resume ? resume_run(folder, planned, moved_models) : begin_run(folder, "attack", planned, models);
    Profile trace(profile);
    int64_t steps = 0;
    const int code = finish_run(run, "attack", interrupt, models, machine, [&] {
      if (++steps == kProfiledFrom) trace.start();
      if (steps == kProfiledTo) trace.stop();
    });
    trace.stop();  // an attack of fewer steps
    if (!trace.summary().empty()) std::cout << trace.summary() << "profile     " << profile << std::endl;
    return code;
  }

  AttackConfig config;
  Machine machine;  ///< of a resumed run, where it is not the run's own
  std::vector<std::string> moved_models;
  std::string file;
  std::string out;
  std::string preset;
  std::string profile;
  CheckpointingOption checkpointing;  // decides no result, so it is no field of the config
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
