#include <cstdlib>
#include <iostream>

#include "src/base/error.h"
#include "src/cli/commands.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_options.h"
#include "src/cli/run_session.h"
#include "src/experiment/parallel/worker_group.h"

namespace hijack::cli {
namespace {

struct RunArguments {
  std::string file;
  std::string out;
  std::string shard;
  bool resume = false;
  double lease = 60;
  MachineOptions machine;
  OutputOptions output;
};

std::vector<TrialPlan> plans_of(const RunArguments& arguments) {
  if (arguments.file.empty()) return {};
  if (!arguments.resume && arguments.machine.models.size() > 1)
    throw Error("--model gives the experiment one model; several say where models of a --resume lie now.");
  const bool given = !arguments.resume && !arguments.machine.models.empty();
  const auto plans = read_experiment(arguments.file, given ? arguments.machine.models[0] : "");
  return arguments.shard.empty() ? plans : take_shard(plans, arguments.shard);
}

/// runs/table, or runs/table-2of4 for a part of it
std::filesystem::path default_out(const RunArguments& arguments) {
  std::string name = std::filesystem::path(arguments.file).stem().string();
  if (!arguments.shard.empty()) name += "-" + arguments.shard;
  const size_t slash = name.find('/');
  if (slash != std::string::npos) name.replace(slash, 1, "of");
  return std::filesystem::path("runs") / name;
}

/// The group's name on the store: restarts of torchrun find an empty board.
std::string group_name(const std::filesystem::path& out) {
  const char* restart = std::getenv("TORCHELASTIC_RESTART_COUNT");
  return std::filesystem::absolute(out).lexically_normal().string() + "/" + (restart ? restart : "0");
}

/// Rank 0 makes or opens the folder; the others wait for it.
RunFolder shared_folder(const RunArguments& arguments, const std::filesystem::path& out, int64_t rank,
                        WorkerGroup& group, const ModelSource& models) {
  if (rank == 0) {
    try {
      const auto plans = plans_of(arguments);
      if (arguments.resume)
        resume_run(out, plans, arguments.machine.models);
      else
        begin_run(out, "run", plans, models);
    } catch (...) {
      group.announce(false);
      group.leave();
      throw;
    }
    group.announce(true);
  }
  group.wait_for_announcement();
  RunFolder folder = RunFolder::open_for_worker(out, rank);
  if (arguments.resume) folder.find_models(arguments.machine.models);
  return folder;
}

/// Which process did a trial does not matter: one of them tells of all.
void show_group(const RunArguments& arguments, const std::filesystem::path& out) {
  const RunRecord run = read_run(out);
  const std::string report = write_report(out).string();
  if (!arguments.output.json)
    std::cout << summary(run) << "report      " << report << std::endl;
  else
    for (const TrialRow& trial : run.trials) print_trial(out, trial);
}

int run_in_group(const RunArguments& arguments, const std::filesystem::path& out, const WorkerPlace& place,
                 const Interrupt& interrupt) {
  WorkerGroup group(place, group_name(out), std::chrono::milliseconds(std::llround(arguments.lease * 1000)));
  const Machine machine = arguments.machine.machine();
  const ModelSource models = folder_models(machine);
  RunFolder folder = shared_folder(arguments, out, place.rank, group, models);
  for (const TrialPlan& plan : folder.plans())
    if (!plan.config.victim.empty())
      throw Error("A group of processes cannot keep one budget of calls: attack the victim " +
                  plan.config.victim + " with one process.");
  bool done = false;
  {
    Progress progress;
    done = run_trials(folder, show_on(progress, interrupt.token(), machine), models, &group);
  }
  group.leave();
  if (!done) {
    arguments.output.text() << "Stopped; everything so far is saved. Start the group again with --resume."
                            << std::endl;
    return 1;
  }
  if (place.rank == 0) show_group(arguments, out);
  return 0;
}

int run_experiment(const RunArguments& arguments) {
  arguments.output.apply();
  const Interrupt interrupt;
  if (arguments.file.empty() && !arguments.resume)
    throw Error("No experiment was given; name one: hijack run EXPERIMENT.toml.");
  if (arguments.file.empty() && arguments.out.empty())
    throw Error("--resume needs the run folder: --out DIR.");
  const auto out = arguments.out.empty() ? default_out(arguments) : std::filesystem::path(arguments.out);
  if (const auto place = worker_place()) return run_in_group(arguments, out, *place, interrupt);
  const auto plans = plans_of(arguments);
  Machine machine = arguments.machine.machine();
  machine.run = out;
  machine.stop = interrupt.token();
  const ModelSource models = folder_models(machine);
  RunFolder folder = arguments.resume ? resume_run(out, plans, arguments.machine.models)
                                      : begin_run(out, "run", plans, models);
  return finish_run(folder, "run", interrupt, models, arguments.output, machine);
}

}  // namespace

void add_run(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand("run", "run a grid of attacks from a TOML file");
  auto arguments = std::make_shared<RunArguments>();
  command->add_option("experiment", arguments->file, "TOML file with [attack] and [[grid]] tables")
      ->type_name("FILE");
  command->add_option("--out", arguments->out, "run folder; default runs/ and the file's name")
      ->type_name("DIR");
  command->add_option("--shard", arguments->shard, "run part i of n of the trials: 1/2")->type_name("I/N");
  command
      ->add_option(
          "--lease", arguments->lease,
          "in a group of processes (RANK, WORLD_SIZE): seconds without sign of life after which the trial "
          "of another is taken over")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str()
      ->type_name("SECONDS");
  arguments->machine.add_to(*command);
  arguments->output.add_to(*command, "the rows of trials.jsonl as trials are done, with the run's folder");
  command->add_flag("--resume", arguments->resume,
                    "go on with the stopped run: trials with a row are skipped");
  command->callback([&chosen, arguments] { chosen = [arguments] { return run_experiment(*arguments); }; });
}

}  // namespace hijack::cli
