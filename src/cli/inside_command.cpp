#include "src/cli/commands.h"
#include "src/cli/field_options.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_options.h"
#include "src/cli/run_session.h"
#include "src/experiment/inside/held_out.h"
#include "src/experiment/report/aggregate/inside.h"

namespace hijack::cli {
namespace {

struct InsideCommand {
  explicit InsideCommand(CLI::App& command) : flags(command, fields_of(config)) {
    command.add_option("run", run, "run folder of hijack attack or hijack run")->required()->type_name("RUN");
    machine.add_to(command);
    output.add_to(command, "what each detector tells apart");
  }

  int act() {
    output.apply();
    flags.apply();
    const Interrupt interrupt;
    bool done = false;
    {
      Progress progress;
      const RunHooks hooks = show_on(progress, interrupt.token(), machine.machine());
      done = !measure_inside(run, config, hooks, machine.models).empty();
    }
    return show_asked(done, run, output, {"inside", "nothing was written.", [](const RunRecord& record) {
                                            return cells_text(report::inside_cells(report::inside({record})));
                                          }});
  }

  InsideConfig config;
  MachineOptions machine;
  OutputOptions output;
  std::string run;
  FieldOptions flags;
};

}  // namespace

void add_inside(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand(
      "inside",
      "measure what detectors tell apart inside a hijacked model, on what they have not learned from");
  auto inside = std::make_shared<InsideCommand>(*command);
  command->callback([&chosen, inside] { chosen = [inside] { return inside->act(); }; });
}

}  // namespace hijack::cli
