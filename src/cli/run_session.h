#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "src/cli/interrupt.h"
#include "src/cli/output_options.h"
#include "src/cli/progress.h"
#include "src/experiment/run/runner.h"

namespace hijack::cli {

/// Hooks that show progress and notes. `progress` must outlive them.
RunHooks show_on(Progress& progress, std::stop_token stop, const Machine& machine = {});

/// With --json the hooks print the row of each trial that is done, too, and the rows that `run` has already
/// are printed here.
void show_rows(RunHooks& hooks, const std::filesystem::path& run, const OutputOptions& output);

/// Does what is open of a run, writes its report and prints a summary (with --json the rows, as they come);
/// or, when stopped, the command that goes on. on_step is called after each step. Returns the exit code: 0
/// done, 1 stopped or a trial outside its budget.
int finish_run(RunFolder& folder, const std::string& command, const Interrupt& interrupt,
               const ModelSource& models, const OutputOptions& output, const Machine& machine = {},
               const std::function<void()>& on_step = {});

/// Opens a run to go on with. `plans` that are not empty must be those the run began with. Throws Error.
RunFolder resume_run(const std::filesystem::path& folder, const std::vector<TrialPlan>& plans,
                     const std::vector<std::string>& moved_models = {});

/// How a command that asks a finished run ends.
struct AskedRun {
  const char* part;     ///< of json_report, which --json prints with the run's folder
  std::string stopped;  ///< what is said where it was stopped
  std::function<std::string(const RunRecord&)> text;  ///< what is printed without --json
};
/// Writes the report anew and prints what was found. Returns the exit code: 0 done, 1 stopped.
int show_asked(bool done, const std::string& run, const OutputOptions& output, const AskedRun& asked);

/// A table of texts from rows, the head first, made safe for a terminal.
std::string cells_text(const std::vector<std::vector<std::string>>& cells);

/// For --json: a line for each defense that the run was evaluated behind, as in hijack report --format json.
void print_defenses(const RunRecord& run);

/// Writes report.html beside the rows and returns its path.
std::filesystem::path write_report(const std::filesystem::path& run);

/// What `hijack attack` says at its end, as text.
std::string summary(const RunRecord& run);

}  // namespace hijack::cli
