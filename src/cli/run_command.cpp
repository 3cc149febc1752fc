#include "src/base/error.h"
#include "src/cli/commands.h"
#include "src/cli/interrupt.h"
#include "src/cli/run_session.h"

namespace hijack::cli {
namespace {

struct RunArguments {
  std::string file;
  std::string out;
  bool resume = false;
};

int run_experiment(const RunArguments& arguments) {
  const Interrupt interrupt;
  if (arguments.file.empty() && !arguments.resume)
    throw Error("No experiment was given; name one: hijack run EXPERIMENT.toml.");
  if (arguments.file.empty() && arguments.out.empty())
    throw Error("--resume needs the run folder: --out DIR.");
  const auto plans = arguments.file.empty() ? std::vector<TrialPlan>{} : read_experiment(arguments.file);
  const std::filesystem::path file = arguments.file;
  const auto out = arguments.out.empty() ? "runs" / file.stem() : std::filesystem::path(arguments.out);
  const ModelSource models = folder_models();
  RunFolder folder = arguments.resume ? resume_run(out, plans) : begin_run(out, "run", plans, models);
  return finish_run(folder, "run", interrupt, models);
}

}  // namespace

void add_run(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand("run", "run a grid of attacks from a TOML file");
  auto arguments = std::make_shared<RunArguments>();
  command->add_option("experiment", arguments->file, "TOML file with [attack] and [[grid]] tables")
      ->type_name("FILE");
  command->add_option("--out", arguments->out, "run folder; default runs/ and the file's name")
      ->type_name("DIR");
  command->add_flag("--resume", arguments->resume,
                    "go on with the stopped run: trials with a row are skipped");
  command->callback([&chosen, arguments] { chosen = [arguments] { return run_experiment(*arguments); }; });
}

}  // namespace hijack::cli
