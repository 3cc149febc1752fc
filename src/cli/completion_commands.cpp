#include "src/cli/completion.h"
#include "src/cli/help.h"
#include "src/cli/text.h"

namespace hijack::cli {
namespace {

CompletedFlag completed_flag(const CLI::App& command, const CLI::Option& option) {
  CompletedFlag flag;
  for (const std::string& name : option.get_lnames()) flag.spellings.push_back("--" + name);
  for (const std::string& name : option.get_snames()) flag.spellings.push_back("-" + name);
  flag.help = printable(option.get_description(), 60);
  flag.values = values_of(command, option);
  flag.several = option.get_expected_max() > 1 && option.get_allow_extra_args();
  return flag;
}

/// What `hijack help` takes after the name of a command: its commands, or headings of its options.
CompletedFlag helped(const CLI::App& command) {
  CompletedFlag word;
  word.spellings = {command.get_name()};
  for (const CLI::App* one : command.get_subcommands({})) word.values.names.push_back(one->get_name());
  if (word.values.names.empty()) {
    word.values.names = headings_of(command);
    word.values.names.emplace_back("all");
  }
  word.values.kind = Values::Kind::kNames;
  return word;
}

void collect(const CLI::App& command, std::vector<CompletedCommand>& all) {
  CompletedCommand found;
  found.path = spelled(command);
  found.help = command.get_description();
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional())
      found.values = values_of(command, *option);
    else if (!option->get_group().empty())
      found.flags.push_back(completed_flag(command, *option));
  }
  const auto subcommands = command.get_subcommands({});
  for (const CLI::App* one : subcommands) found.subcommands.push_back(one->get_name());
  all.push_back(std::move(found));
  for (const CLI::App* one : subcommands) collect(*one, all);
}

}  // namespace

std::vector<CompletedCommand> completed_commands(const CLI::App& program) {
  std::vector<CompletedCommand> all;
  collect(program, all);
  const std::string help = program.get_name() + " help";
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.path == help; });
  if (found != all.end()) {
    found->values = {Values::Kind::kNames, all[0].subcommands};
    for (const CLI::App* command : program.get_subcommands({}))
      if (spelled(*command) != help) found->words.push_back(helped(*command));  // it stands before, too
  }
  return all;
}

std::string single_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace hijack::cli
