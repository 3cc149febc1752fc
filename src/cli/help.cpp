#include "src/cli/help.h"

#include <cstdlib>

#include "src/base/error.h"
#include "src/base/nearest.h"
#include "src/cli/text.h"

namespace hijack::cli {
namespace {

constexpr const char* kRare = " (more)";
constexpr size_t kNameColumn = 26;  // where descriptions begin, on a terminal that is wide enough

using Options = std::vector<const CLI::Option*>;

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

/// Without hidden ones.
Options options_of(const CLI::App& command, const std::string& group) {
  Options found;
  for (const CLI::Option* option : command.get_options())
    if (!option->get_positional() && option->get_group() == group) found.push_back(option);
  return found;
}

bool is_help(const CLI::App& command, const CLI::Option* option) {
  return option == command.get_help_ptr() || option == command.get_help_all_ptr();
}

/// Headings in the order of the options. "Options" comes first, or last where there is only --help in it.
std::vector<std::string> groups_of(const CLI::App& command) {
  std::vector<std::string> groups;
  for (const CLI::Option* option : command.get_options()) {
    std::string group = option->get_group();
    if (group.ends_with(kRare)) group.resize(group.size() - std::string_view(kRare).size());
    if (!group.empty() && !option->get_positional() && group != "Options" &&
        std::find(groups.begin(), groups.end(), group) == groups.end())
      groups.push_back(group);
  }
  const Options plain = options_of(command, "Options");
  const bool own = std::any_of(plain.begin(), plain.end(), [&](auto* one) { return !is_help(command, one); });
  groups.insert(own ? groups.begin() : groups.end(), "Options");
  return groups;
}

/// "N", "DIR ...": what the parser adds about ranges is in the sentences of refusals.
std::string type_shown(const CLI::Option& option) {
  std::string type = option.get_type_name();
  type.resize(std::min(type.find(':'), type.size()));
  for (const char* number : {"INT", "UINT"})
    if (type == number) type = "N";
  if (type == "FLOAT") type = "X";
  return type;
}

bool several(const CLI::Option& option) {
  return option.get_expected_max() > 1 && option.get_allow_extra_args();
}

/// "--steps N=300", "-o,--out FILE"
std::string flag_shown(const CLI::Option& option) {
  std::string text;
  for (const std::string& name : option.get_snames()) text += "-" + name + ",";
  text += option.get_lnames().empty() ? "" : "--" + option.get_lnames()[0];
  if (option.get_expected_max() == 0) return text;
  text += " " + type_shown(option);
  if (!option.get_default_str().empty()) text += "=" + option.get_default_str();
  return text + (several(option) ? " ..." : "");
}

std::string explained(const CLI::Option& option) {
  return option.get_description() + (option.get_required() ? " (required)" : "");
}

/// The names of rare options, a few lines at most.
std::string more_text(const Options& rare, size_t width) {
  std::string names = "more:";
  for (const CLI::Option* option : rare) names += " --" + option->get_lnames().at(0);
  return "  " + wrapped(names, width, 8, 2) + "\n";
}

std::string group_text(const CLI::App& command, const std::string& group, bool with_rare, size_t width) {
  Options shown = options_of(command, group);
  const Options rare = options_of(command, rare_group(group));
  if (with_rare) shown.insert(shown.end(), rare.begin(), rare.end());
  std::stable_partition(shown.begin(), shown.end(), [&](auto* one) { return !is_help(command, one); });
  std::string text;
  for (const CLI::Option* option : shown)
    text += item_text(flag_shown(*option), explained(*option), width, kNameColumn);
  if (!with_rare && !rare.empty()) text += more_text(rare, width);
  return text.empty() ? "" : "\n" + group + ":\n" + text;
}

std::string positionals_text(const CLI::App& command, size_t width) {
  std::string text;
  for (const CLI::Option* option : command.get_options())
    if (option->get_positional())
      text += item_text(type_shown(*option), explained(*option), width, kNameColumn);
  return text.empty() ? "" : "\nArguments:\n" + text;
}

std::string usage(const CLI::App& command, size_t width) {
  std::string text = "Usage: " + spelled(command);
  if (!command.get_subcommands({}).empty()) text += " [COMMAND]";
  text += " [OPTIONS]";
  for (const CLI::Option* option : command.get_options())
    if (option->get_positional())
      text += option->get_required() ? " " + type_shown(*option) : " [" + type_shown(*option) + "]";
  return wrapped(text, width, 7) + "\n";
}

std::string subcommands_text(const CLI::App& command, size_t width) {
  std::string text;
  for (const CLI::App* one : command.get_subcommands({}))
    if (!one->get_group().empty())
      text += item_text(one->get_name(), one->get_description(), width, kNameColumn);
  return text.empty() ? "" : "\nCommands:\n" + text;
}

bool has_rare(const CLI::App& command) {
  const auto all = command.get_options();
  return std::any_of(all.begin(), all.end(),
                     [](const CLI::Option* option) { return option->get_group().ends_with(kRare); });
}

/// How to see what is only named.
std::string where_more(const CLI::App& command, size_t width) {
  if (!has_rare(command)) return "";
  const std::string help = spelled(*command.get_parent()) + " help " + command.get_name();
  std::string headings;
  for (const std::string& heading : headings_of(command))
    headings += (headings.empty() ? "" : ", ") + heading;
  return "\n" +
         wrapped("'" + help + " all' (or --help-all) explains every flag, '" + help +
                     " HEADING' those of a heading: " + headings + ".",
                 width, 0) +
         "\n";
}

}  // namespace

std::string rare_group(const std::string& group) {
  return group + kRare;
}

std::vector<std::string> headings_of(const CLI::App& command) {
  std::vector<std::string> headings;
  for (const std::string& group : groups_of(command)) headings.push_back(lower(group));
  return headings;
}

std::string spelled(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return (parent ? spelled(*parent) + " " : "") + command.get_name();
}

const CLI::App& innermost(const CLI::App& program) {
  const auto chosen = program.get_subcommands();
  return chosen.empty() ? program : innermost(*chosen.back());
}

std::string help_text(const CLI::App& command, const std::string& part, size_t width) {
  const bool whole = part.empty() || part == "all";
  std::string text, footer;
  for (const std::string& group : groups_of(command))
    if (whole || lower(group) == lower(part)) text += group_text(command, group, !part.empty(), width);
  if (!whole && text.empty()) {
    std::vector<std::string> known = headings_of(command);
    known.emplace_back("all");
    throw Error(unknown_name("heading", part, known));
  }
  if (!whole) return text.substr(1);
  const bool inherited = command.get_parent() && command.get_footer() == command.get_parent()->get_footer();
  if (!inherited) footer = "\n" + wrapped(command.get_footer(), width, 0) + "\n";
  return wrapped(spelled(command) + ": " + command.get_description(), width, 0) + "\n\n" +
         usage(command, width) + positionals_text(command, width) + subcommands_text(command, width) + text +
         footer + (part.empty() ? where_more(command, width) : "");
}

size_t help_width() {
  const char* columns = std::getenv("COLUMNS");
  const int64_t given = columns ? std::strtoll(columns, nullptr, 10) : 0;
  const size_t terminal = output_width();
  const size_t width = given > 0 ? static_cast<size_t>(given) : terminal == SIZE_MAX ? 80 : terminal;
  return std::clamp<size_t>(width, 40, 100);
}

}  // namespace hijack::cli
