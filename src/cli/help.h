#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace hijack::cli {

/// Options that only few need are put in the group "Search (more)" beside "Search": help names them, and
/// explains them where it is asked for that heading or for all.
std::string rare_group(const std::string& group);

/// The headings of a command's options in lower case ("search"), without the rare ones.
std::vector<std::string> headings_of(const CLI::App& command);

/// "hijack models inspect"
std::string spelled(const CLI::App& command);
/// The subcommand that was being parsed, or the program.
const CLI::App& innermost(const CLI::App& program);

/// What --help prints, at most `width` columns wide. part: "" = all headings, rare options by name only;
/// "all" = every option; "search" = those of one heading. Throws Error for a heading that there is not.
std::string help_text(const CLI::App& command, const std::string& part, size_t width);

/// Columns for help: $COLUMNS, else those of the terminal that standard output goes to, else 80; from 40 to
/// 100.
size_t help_width();

}  // namespace hijack::cli
