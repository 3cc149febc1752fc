#include <iostream>

#include "defenses/make_defense.h"
#include "src/cli/commands.h"
#include "src/cli/field_options.h"
#include "src/cli/interrupt.h"
#include "src/cli/run_session.h"
#include "src/cli/text.h"
#include "src/experiment/evaluate.h"
#include "src/experiment/report/aggregate.h"

namespace hijack::cli {
namespace {

std::string rate(const report::Rate& rate) {
  return rate_text(rate.successes, rate.n);
}

/// Share of the text-side control that a defense refused.
report::Rate suffix_rejected(const RunRecord& run, const std::string& defense) {
  report::Rate rate;
  for (const ReplyRow& row : run.replies)
    if (row.condition == "text_suffix" && row.defense == defense) rate.add(row.rejected);
  return rate;
}

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

std::string defense_table(const RunRecord& run) {
  std::vector<std::vector<std::string>> rows = {{"defense", "image attack", "text suffix", "suffix rejected",
                                                 "clean image", "benign rejected", "benign correct",
                                                 "s/reply"}};
  for (const auto& one : report::defenses({run})) {
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.3f", one.seconds_per_reply);
    rows.push_back({short_name(one.defense), rate(one.attack), rate(one.text_suffix),
                    rate(suffix_rejected(run, one.defense)), rate(one.clean), rate(one.benign_rejected),
                    rate(one.benign_correct), seconds});
  }
  return table_text(rows);
}

struct EvaluateCommand {
  explicit EvaluateCommand(CLI::App& command) : flags(command, fields_of(config)) {
    command.add_option("run", run, "run folder of hijack attack or hijack run")->required()->type_name("RUN");
    command.get_option("--defense")->allow_extra_args(false);  // RUN may follow
    command.footer("Defenses:\n" + defense_help());
  }

  int act() {
    const Interrupt interrupt;
    flags.apply();
    bool done = false;
    {
      Progress progress;
      done = evaluate_run(run, config, show_on(progress, interrupt.token()), folder_models());
    }
    if (!done) {
      std::cout << "Stopped; what was asked is saved. The same command goes on." << std::endl;
      return 1;
    }
    std::cout << "success of the behavior on held-out contexts, and the cost on benign questions\n"
              << defense_table(read_run(run)) << "report  " << write_report(run).string() << std::endl;
    return 0;
  }

  EvaluateConfig config;
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
