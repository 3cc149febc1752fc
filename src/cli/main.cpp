#include <c10/util/Exception.h>

#include <algorithm>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "defenses/address.h"
#include "src/base/error.h"
#include "src/base/nearest.h"
#include "src/base/memory_pool.h"
#include "src/cli/commands.h"
#include "src/cli/log.h"
#include "src/experiment/manifest.h"

namespace hijack::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongInput = 2;

int complain(const std::string& sentence, int code) {
  std::cerr << "hijack: " << without_login(sentence) << std::endl;
  return code;
}

/// The subcommand that was being parsed, or the program.
const CLI::App& innermost(const CLI::App& program) {
  const auto chosen = program.get_subcommands();
  return chosen.empty() ? program : innermost(*chosen.back());
}

/// What the user wrote and no command knows: a flag, or the name of a subcommand.
std::string unknown_argument(const CLI::App& program, const std::string& argument) {
  const CLI::App& command = innermost(program);
  std::vector<std::string> known;
  const bool flag = argument.starts_with("-");
  for (const CLI::Option* option : command.get_options())
    if (flag && !option->get_lnames().empty()) known.push_back("--" + option->get_lnames()[0]);
  for (const CLI::App* subcommand : command.get_subcommands({}))
    if (!flag) known.push_back(subcommand->get_name());
  const std::string name = argument.substr(0, argument.find('='));
  const std::string meant = nearest(name, known);
  return "unknown " + std::string(flag ? "flag" : "argument") + " '" + name + "'" +
         (meant.empty() ? "" : "; did you mean '" + meant + "'?") + " See hijack " +
         (&command == &program ? "" : command.get_name() + " ") + "--help.";
}

int refuse(const CLI::App& program, const CLI::ParseError& error) {
  const auto extras = program.remaining(/*recurse=*/true);
  if (!extras.empty()) return complain(unknown_argument(program, extras[0]), kWrongInput);
  std::string sentence = error.what();
  std::replace(sentence.begin(), sentence.end(), '\n', ' ');
  return complain(sentence, kWrongInput);
}

int run(int argc, char** argv) {
  CLI::App program("Adversarial images against vision-language models: attack, defend, report.", "hijack");
  program.set_version_flag("--version", "hijack " + hijack_version());
  program.require_subcommand(0, 1);
  Action chosen;
  for (const auto add : {add_attack, add_evaluate, add_run, add_report, add_reproduce, add_chat, add_train,
                         add_trace, add_tokenize, add_scenes, add_models})
    add(program, chosen);
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return program.exit(help);
  } catch (const CLI::ParseError& error) {
    return refuse(program, error);
  }
  if (chosen) return chosen();
  std::cout << program.help();
  return 0;
}

int guarded(int argc, char** argv) {
  try {
    start_log();
    return run(argc, argv);
  } catch (const Error& error) {
    return complain(error.what(), kWrongInput);
  } catch (const c10::Error& error) {
    return complain(error.what_without_backtrace(), kFailed);
  } catch (const std::bad_alloc&) {
    return complain("out of memory.", kFailed);
  } catch (const std::exception& error) {
    return complain(error.what(), kFailed);
  }
}

}  // namespace
}  // namespace hijack::cli

int main(int argc, char** argv) {
  hijack::pool_tensor_memory();
  return hijack::cli::guarded(argc, argv);
}
