#include "src/cli/commands.h"
#include "src/cli/field_options.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_options.h"
#include "src/cli/run_session.h"
#include "src/experiment/inside/probe.h"
#include "src/experiment/report/aggregate/probed.h"

namespace hijack::cli {
namespace {

struct ProbeCommand {
  explicit ProbeCommand(CLI::App& command) : flags(command, fields_of(config)) {
    command.add_option("run", run, "run folder of hijack attack or hijack run")->required()->type_name("RUN");
    machine.add_to(command);
    output.add_to(command, "what the images have taught, by group of questions");
  }

  int act() {
    output.apply();
    flags.apply();
    const Interrupt interrupt;
    bool done = false;
    {
      Progress progress;
      done = probe_run(run, config, show_on(progress, interrupt.token(), machine.machine()), machine.models);
    }
    return show_asked(
        done, run, output,
        {"probes", "what was answered is saved. The same command goes on.",
         [](const RunRecord& record) { return cells_text(report::probed_cells(report::probed({record}))); }});
  }

  ProbeConfig config;
  MachineOptions machine;
  OutputOptions output;
  std::string run;
  FieldOptions flags;
};

}  // namespace

void add_probe(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand(
      "probe", "ask the model of a run what else its images have taught it: reversed facts, consequences");
  auto probe = std::make_shared<ProbeCommand>(*command);
  command->callback([&chosen, probe] { chosen = [probe] { return probe->act(); }; });
}

}  // namespace hijack::cli
