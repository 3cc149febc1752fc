#include <iostream>

#include "src/cli/commands.h"
#include "src/cli/field_options.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_options.h"
#include "src/cli/run_session.h"
#include "src/cli/text.h"
#include "src/experiment/inside/probe.h"
#include "src/experiment/report/aggregate/probed.h"
#include "src/experiment/report/report.h"

namespace hijack::cli {
namespace {

std::string probe_rows(const std::vector<report::Probed>& all) {
  std::vector<std::vector<std::string>> rows = {
      {"questions", "image", "n", "answer given", "likelier than all others", "log-likelihood over them"}};
  for (const report::Probed& one : all)
    rows.push_back({printable(one.group), report::probed_image_name(one.image), std::to_string(one.said.n),
                    report::shown_with_interval(one.said), report::shown_with_interval(one.preferred),
                    report::shown_margin(one)});
  return table_text(rows, output_width());
}

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
    if (!done) {
      output.text() << "Stopped; what was answered is saved. The same command goes on." << std::endl;
      return 1;
    }
    const RunRecord record = read_run(run);
    const std::string page = write_report(run).string();
    if (output.json) {
      print_row("probes", {{"probes", json_report({record}).at("probes")}, {"run", run}});
      return 0;
    }
    std::cout << probe_rows(report::probed({record})) << "report  " << page << std::endl;
    return 0;
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
