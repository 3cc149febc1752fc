#include <iostream>

#include "src/base/error.h"
#include "src/base/nearest.h"
#include "src/cli/commands.h"
#include "src/cli/help.h"

namespace hijack::cli {
namespace {

/// Of visible commands.
std::vector<std::string> command_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* one : command.get_subcommands({})) names.push_back(one->get_name());
  return names;
}

/// "attack", "models inspect", "attack budget": a command, and perhaps a heading of its options.
int explain(const CLI::App& program, const std::vector<std::string>& words) {
  const CLI::App* command = &program;
  std::string part;
  for (const std::string& word : words) {
    const auto names = command_names(*command);
    if (const auto found = std::find(names.begin(), names.end(), word); found != names.end())
      command = command->get_subcommand(word);
    else if (command == &program || !part.empty() || !names.empty())
      throw Error(unknown_name("command", word, names.empty() ? command_names(program) : names));
    else
      part = word;
  }
  std::cout << help_text(*command, part, help_width());
  return 0;
}

}  // namespace

void add_help(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand("help", "explain a command, or one heading of its options");
  auto words = std::make_shared<std::vector<std::string>>();
  command
      ->add_option("command", *words,
                   "a command: attack, models inspect; attack budget: a heading; attack all")
      ->type_name("COMMAND ...");
  command->callback(
      [&program, &chosen, words] { chosen = [&program, words] { return explain(program, *words); }; });
}

}  // namespace hijack::cli
