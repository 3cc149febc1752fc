#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "src/cli/values.h"

// Completion scripts come from the commands and flags themselves: `hijack completion bash` prints what is
// true of this program.

namespace hijack::cli {

struct CompletedFlag {
  std::vector<std::string> spellings;  ///< "--out", "-o"
  std::string help;
  Values values;
  bool several = false;  ///< further values may follow without the flag
};
struct CompletedCommand {
  std::string path;  ///< "hijack models inspect"
  std::string help;
  std::vector<CompletedFlag> flags;
  std::vector<std::string> subcommands;
  std::vector<CompletedFlag> words = {};     ///< in place of a positional; what follows depends on it
  Values values = {Values::Kind::kNothing};  ///< of its positionals
};

/// The program and all its commands, without hidden ones.
std::vector<CompletedCommand> completed_commands(const CLI::App& program);

std::string bash_completion(const std::vector<CompletedCommand>& commands);
std::string zsh_completion(const std::vector<CompletedCommand>& commands);

/// 'it'\''s': a text as one word of a shell.
std::string single_quoted(const std::string& text);

}  // namespace hijack::cli
