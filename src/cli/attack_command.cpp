#include <iostream>
#include <thread>

#include "src/base/error.h"
#include "src/base/profile.h"
#include "src/cli/announcement.h"
#include "src/cli/commands.h"
#include "src/cli/defense_names.h"
#include "src/cli/field_options.h"
#include "src/cli/help.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_options.h"
#include "src/cli/ranks_option.h"
#include "src/cli/run_session.h"
#include "src/experiment/plan/divisible.h"
#include "src/experiment/plan/presets.h"
#include "src/experiment/run/photo_cost.h"

namespace hijack::cli {
namespace {

constexpr int64_t kProfiledFrom = 1;  // the first step also warms up
constexpr int64_t kProfiledTo = 4;

/// Fields that --help explains; the others it only names (help.h).
const std::set<std::string> kCommon = {"image",     "behavior",  "target",         "model",     "method",
                                       "transfer",  "universal", "constraint",     "epsilon",   "objective",
                                       "optimizer", "steps",     "seed",           "contexts",  "train",
                                       "test",      "batch",     "max_new_tokens", "defense",   "adaptive",
                                       "device",    "dtype",     "threads",        "surrogate", "victim"};

struct AttackCommand {
  explicit AttackCommand(CLI::App& command) : flags(command, fields_of(config), kCommon) {
    const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
      return command.add_option(name, value, help)->type_name(type)->group("Run");
    };
    add("--out", out, "DIR", "run folder to make; default runs/NAME");
    command.add_flag("--resume", resume, "go on with the stopped run in --out")->group("Run");
    add("--config", file, "FILE", "TOML file of these settings; flags override it");
    add("--preset", preset, "NAME", "a published attack; --config and flags override it");
    command.add_flag("--list-presets", list, "list the published attacks, with paper and departures")
        ->group("Run");
    distributed.add_to(command);
    checkpointing.add_to(command);
    add("--profile", profile, "FILE",
        "write a trace of the steps 2 to 4 for ui.perfetto.dev, and print the top operators")
        ->group(rare_group("Machine"));
    output.add_to(command, "the rows of trials.jsonl as trials are done, with the run's folder");
    command.set_help_all_flag("--help-all", "Print the help of every flag and exit");
    command.footer("'hijack defenses' lists the defenses, 'hijack defenses NAME' what can be set.");
  }

  /// The names that preset, file and flags have set.
  std::set<std::string> given_settings() {
    std::set<std::string> given;
    if (!preset.empty()) given = apply_preset(preset, shipped_presets(), config);
    if (!file.empty()) given.merge(read_config(file, config));
    given.merge(flags.apply());
    return given;
  }

  std::vector<TrialPlan> plans() {
    const std::set<std::string> given = given_settings();
    note_former_names(config.defense.defenses);
    if (resume && only_the_machine(given)) return {};
    return plan_trials(config, given);
  }

  /// With --resume, --model, --device, --threads, --image-batch and how a victim is asked say how to go on,
  /// not what the run is.
  bool only_the_machine(const std::set<std::string>& given) {
    const Fields asking = fields_of(config.asking);
    const auto asks = [&](const std::string& name) {
      return std::any_of(asking.begin(), asking.end(),
                         [&](const Field& field) { return field.name == name; });
    };
    for (const std::string& name : given)
      if (name != "model" && name != "device" && name != "threads" && name != "image_batch" && !asks(name))
        return false;
    if (std::any_of(given.begin(), given.end(), asks)) machine.asking = config.asking;
    if (given.contains("model")) moved_models = {config.model};
    if (given.contains("device")) machine.device = config.device;
    if (given.contains("threads")) machine.threads = config.threads;
    if (given.contains("image_batch")) machine.image_batch = config.image_batch;
    return true;
  }

  int show_presets() const {
    for (const Preset& one : list_presets(shipped_presets())) {
      if (output.json)
        print_row("preset", {{"name", one.name}, {"paper", one.paper}, {"departs", one.departs}});
      else
        std::cout << one.name << "\n    " << one.paper << "\n    departs: " << one.departs << "\n";
    }
    return 0;
  }

  /// Nothing where the run itself is about to say what is wrong.
  std::vector<std::string> costs_of(const RunFolder& run, const ModelSource& models) const {
    std::vector<std::string> lines;
    try {
      std::vector<TrialPlan> open;
      for (const TrialPlan& plan : run.plans())
        if (!run.done(plan) && !asks_nobody(plan.config)) open.push_back(plan);
      for (const PhotoCost& cost : photo_costs(open, models)) lines.push_back(cost.sentence() + ".");
    } catch (const Error&) {
    }
    return lines;
  }

  int act() {
    output.apply();
    if (list) return show_presets();
    checkpointing.apply();
    const Interrupt interrupt;
    const auto ranks = distributed.meet();
    if (!ranks) return make(interrupt);
    machine.ranks = ranks;
    return in_company(*ranks, [&] { return ranks->first() ? make(interrupt) : follow(interrupt); });
  }

  /// What belongs to one of several processes, which all have these plans.
  void take_place(const std::vector<TrialPlan>& all) {
    for (const TrialPlan& plan : all) check_divisible(plan.config);
    machine.device =
        distributed.own_device(machine.device.empty() ? all.at(0).config.device : machine.device);
  }

  std::vector<TrialPlan> plans_in(const std::filesystem::path& folder) const {
    RunFolder run = RunFolder::open_to_read(folder);
    run.find_models(moved_models);
    return run.plans();
  }

  /// Of a rank that writes nothing: takes part in the run that rank 0 has opened.
  int follow(const Interrupt& interrupt) {
    if (resume) only_the_machine(given_settings());
    const std::filesystem::path folder = machine.ranks->from_first("");
    for (int i = 0; i < 100 && !exists(folder / "manifest.json"); ++i)  // a network's file system may be late
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    RunFolder run = RunFolder::open_to_read(folder);
    run.find_models(moved_models);
    take_place(run.plans());
    RunHooks hooks;
    hooks.stop = machine.stop = interrupt.token();
    hooks.machine = machine;
    return run_trials(run, hooks, folder_models(machine)) ? 0 : 1;
  }

  int make(const Interrupt& interrupt) {
    const auto planned = plans();
    if (resume && out.empty()) throw Error("--resume needs the run folder: --out DIR.");
    const auto folder = !out.empty() ? std::filesystem::path(out) : free_run_folder(planned[0].id);
    machine.run = folder;
    machine.stop = interrupt.token();
    if (distributed.wanted()) take_place(planned.empty() ? plans_in(folder) : planned);
    const ModelSource models = folder_models(machine);
    RunFolder run =
        resume ? resume_run(folder, planned, moved_models) : begin_run(folder, "attack", planned, models);
    if (machine.ranks) machine.ranks->from_first(std::filesystem::absolute(folder).string());
    Announcement announcement(costs_of(run, models));
    Profile trace(profile);
    int64_t steps = 0;
    const int code = finish_run(run, "attack", interrupt, models, output, machine, [&] {
      announcement.begun();
      if (++steps == kProfiledFrom) trace.start();
      if (steps == kProfiledTo) trace.stop();
    });
    trace.stop();  // an attack of fewer steps
    if (!trace.summary().empty()) output.text() << trace.summary() << "profile     " << profile << std::endl;
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
  RanksOption distributed;            // nor are these
  OutputOptions output;
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
