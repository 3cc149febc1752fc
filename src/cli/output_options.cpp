#include "src/cli/output_options.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "src/cli/log.h"

namespace hijack::cli {

void OutputOptions::add_to(CLI::App& command, const std::string& rows) {
  if (!rows.empty())
    command.add_flag("--json", json, "for scripts: " + rows + "; one JSON object a line, nothing else")
        ->group("Output");
  command.add_flag("--quiet", quiet, "no progress and no notes; warnings and errors stay")->group("Output");
}

void OutputOptions::apply() const {
  if (quiet) silence_notes();
}

std::ostream& OutputOptions::text() const {
  return json ? std::cerr : std::cout;
}

void print_row(const char* kind, nlohmann::json row) {
  row["kind"] = kind;
  // texts may come from a model that was cut in the middle of a character
  std::cout << row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
}

void print_trial(const std::filesystem::path& run, const TrialRow& trial) {
  nlohmann::json row = to_json(trial);
  row["run"] = run.string();
  print_row("trial", std::move(row));
}

}  // namespace hijack::cli
