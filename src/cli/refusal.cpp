#include "src/cli/refusal.h"

#include <vector>

#include "src/base/nearest.h"
#include "src/cli/help.h"
#include "src/cli/text.h"

namespace hijack::cli {
namespace {

std::string see_help(const CLI::App& command) {
  return " See " + spelled(command) + " --help.";
}

/// What the user wrote and no command knows: a flag, or the name of a subcommand.
std::string unknown_argument(const CLI::App& command, const std::string& argument) {
  std::vector<std::string> known;
  const bool flag = argument.starts_with("-");
  for (const CLI::Option* option : command.get_options())
    if (flag && !option->get_lnames().empty()) known.push_back("--" + option->get_lnames()[0]);
  for (const CLI::App* subcommand : command.get_subcommands({}))
    if (!flag) known.push_back(subcommand->get_name());
  const std::string name = argument.substr(0, argument.find('='));
  const std::string meant = nearest(name, known);
  return "unknown " + std::string(flag ? "flag" : "argument") + " '" + printable(name) + "'" +
         (meant.empty() ? "." : "; did you mean '" + meant + "'?") + see_help(command);
}

/// "--steps", "-o", "run".
std::string name_of(const CLI::Option& option) {
  if (!option.get_lnames().empty()) return "--" + option.get_lnames()[0];
  return option.get_snames().empty() ? option.get_name() : "-" + option.get_snames()[0];
}

/// The option that the parser's message begins with or ends in: it has no other place for it.
const CLI::Option* blamed(const CLI::App& command, const std::string& message) {
  const CLI::Option* found = nullptr;
  size_t longest = 0;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : {option->get_name(), name_of(*option)}) {
      const size_t at = message.find(name);
      if (at == std::string::npos || name.size() <= longest) continue;
      found = option;
      longest = name.size();
    }
  }
  return found;
}

/// "0.100000" -> "0.1"
std::string short_number(std::string text) {
  if (text.find('.') == std::string::npos) return text;
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string given(const CLI::Option& option) {
  return option.results().empty() ? "" : ", not '" + printable(option.results().back(), 80) + "'";
}

/// The two numbers in the validator's "... not in range 0 to 1024".
std::string in_range(const CLI::Option& option, const std::string& message) {
  const std::string before = "not in range ", between = " to ";
  const size_t at = message.find(before), to = message.find(between, at);
  if (at == std::string::npos || to == std::string::npos) return "";
  const size_t first = at + before.size(), second = to + between.size();
  const std::string low = message.substr(first, to - first);
  return name_of(option) + " must be a " + (low.find('.') == std::string::npos ? "whole " : "") +
         "number from " + short_number(low) + " to " + short_number(message.substr(second)) + given(option) +
         ".";
}

std::string missing(const CLI::App& command, const CLI::Option* option) {
  if (option) return spelled(command) + " needs " + name_of(*option) + ".";
  std::string names;
  for (const CLI::App* one : command.get_subcommands({}))
    names += (names.empty() ? "" : ", ") + one->get_name();
  return spelled(command) + " needs to be told what to do: " + names + ".";
}

}  // namespace

std::string refusal(const CLI::App& program, const CLI::ParseError& error) {
  const CLI::App& command = innermost(program);
  const auto extras = program.remaining(/*recurse=*/true);
  if (!extras.empty()) return unknown_argument(command, extras[0]);
  const std::string message = error.what();
  const CLI::Option* option = blamed(command, message);
  if (dynamic_cast<const CLI::RequiredError*>(&error)) return missing(command, option) + see_help(command);
  if (!option) return "these arguments cannot be understood." + see_help(command);
  if (dynamic_cast<const CLI::ValidationError*>(&error))
    if (const std::string sentence = in_range(*option, message); !sentence.empty()) return sentence;
  if (dynamic_cast<const CLI::ConversionError*>(&error) && option->get_expected_max() > 0)
    return name_of(*option) + " must be a number" + given(*option) + "." + see_help(command);
  if (option->get_expected_max() == 0) return name_of(*option) + " takes no value." + see_help(command);
  if (const size_t given = option->results().size(); given > 1 && option->get_expected_max() == 1)
    return name_of(*option) + " was given " + std::to_string(given) + " times, but takes one value." +
           see_help(command);
  return name_of(*option) + " needs a value." + see_help(command);
}

}  // namespace hijack::cli
