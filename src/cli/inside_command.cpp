#include <iostream>

#include "src/cli/commands.h"
#include "src/cli/field_options.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_options.h"
#include "src/cli/run_session.h"
#include "src/cli/text.h"
#include "src/experiment/inside/held_out.h"
#include "src/experiment/report/aggregate/inside.h"
#include "src/experiment/report/report.h"
#include "src/experiment/report/values/text.h"

namespace hijack::cli {
namespace {

std::string inside_rows(const std::vector<InsideRow>& all) {
  std::vector<std::vector<std::string>> rows = {
      {"detector", "of", "n", "AUROC", "found at 1 % false alarms", "at 5 %", "held out"}};
  for (const InsideRow& row : all)
    rows.push_back({printable(row.detector), printable(report::inside_what(row)),
                    std::to_string(row.positives) + " from " + std::to_string(row.negatives),
                    report::shown_auroc(row), report::percent(row.found_at_1),
                    report::percent(row.found_at_5), row.held_out.empty() ? "–" : row.held_out});
  return table_text(rows, output_width());
}

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
    if (!done) {
      output.text() << "Stopped; nothing was written." << std::endl;
      return 1;
    }
    const RunRecord record = read_run(run);
    const std::string page = write_report(run).string();
    if (output.json) {
      print_row("inside", {{"inside", json_report({record}).at("inside")}, {"run", run}});
      return 0;
    }
    std::cout << inside_rows(report::inside({record})) << "report  " << page << std::endl;
    return 0;
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
