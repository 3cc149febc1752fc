#pragma once
#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>

#include "src/experiment/record/results.h"

namespace hijack::cli {

/// --quiet, and of commands with results --json: one JSON object a line on standard output, nothing else.
struct OutputOptions {
  bool json = false;
  bool quiet = false;

  /// rows: what --json prints, for --help; "" = there is no --json.
  void add_to(CLI::App& command, const std::string& rows);
  /// Takes effect from here on; call it before the first note.
  void apply() const;
  /// Where sentences for people go: standard output, or with --json standard error.
  std::ostream& text() const;
};

/// A line of --json, flushed: {"kind": kind} and the row's own fields.
void print_row(const char* kind, nlohmann::json row);
/// A trial as in trials.jsonl, and "run": the folder.
void print_trial(const std::filesystem::path& run, const TrialRow& trial);

}  // namespace hijack::cli
