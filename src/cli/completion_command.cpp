#include <iostream>

#include "src/base/error.h"
#include "src/base/nearest.h"
#include "src/cli/commands.h"
#include "src/cli/completion.h"

namespace hijack::cli {
namespace {

int completion(const CLI::App& program, const std::string& shell) {
  const auto commands = completed_commands(program);
  if (shell == "bash")
    std::cout << bash_completion(commands);
  else if (shell == "zsh")
    std::cout << zsh_completion(commands);
  else
    throw Error(unknown_name("completion for shell", shell, std::vector<std::string>{"bash", "zsh"}));
  return 0;
}

}  // namespace

void add_completion(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand("completion", "print a completion script for bash or zsh");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash or zsh: source <(hijack completion bash)")
      ->required()
      ->type_name("SHELL");
  command->callback(
      [&program, &chosen, shell] { chosen = [&program, shell] { return completion(program, *shell); }; });
}

}  // namespace hijack::cli
