#include <iostream>

#include "defenses/make_defense.h"
#include "src/cli/commands.h"
#include "src/cli/defense_names.h"
#include "src/cli/help.h"
#include "src/cli/log.h"
#include "src/cli/output_options.h"
#include "src/cli/text.h"

namespace hijack::cli {
namespace {

struct DefensesArguments {
  std::string name;
  bool json = false;
};

struct KindHeading {
  const char* kind;
  const char* heading;
};
constexpr KindHeading kHeadings[] = {
    {"image", "change the image"},
    {"text", "change the prompt"},
    {"decoding", "change how the model replies"},
    {"detector", "reject what looks like an attack"},
    {"votes", "answer by a vote over changed copies"},
};

nlohmann::json row_of(const DefenseInfo& info) {
  nlohmann::json parameters = nlohmann::json::array();
  for (const DefenseParameter& one : info.parameters)
    parameters.push_back({{"name", one.name}, {"default", one.value}, {"help", one.help}});
  return {{"name", info.name}, {"works_on", info.kind}, {"help", info.help}, {"parameters", parameters}};
}

/// As it is written after the name; texts with a line break or nothing in them as in JSON.
std::string default_text(const DefenseParameter& parameter) {
  if (parameter.value.is_number_float()) {
    std::ostringstream shortest;
    shortest << parameter.value.get<double>();
    return shortest.str();
  }
  if (!parameter.value.is_string()) return parameter.value.dump();
  const auto text = parameter.value.get<std::string>();
  return text.find('\n') == std::string::npos ? text : parameter.value.dump();
}

void show_list(size_t width) {
  for (const auto& [kind, heading] : kHeadings) {
    std::cout << kind << ": " << heading << "\n";
    for (const DefenseInfo& info : defense_infos())
      if (info.kind == kind) std::cout << item_text(info.name, info.help, width, 20);
    std::cout << "\n";
  }
  std::cout << wrapped("'hijack defenses NAME' shows what can be set; write it as --defense jpeg:quality=50.",
                       width, 0)
            << std::endl;
}

void show_one(const DefenseInfo& info, size_t width) {
  std::cout << wrapped(info.name + " (" + info.kind + "): " + info.help, width, 0) << "\n";
  if (!info.parameters.empty()) std::cout << "\nParameters:\n";
  for (const DefenseParameter& one : info.parameters)
    std::cout << item_text(one.name + "=" + default_text(one), one.help, width, 26);
  std::string example = info.name;
  if (!info.parameters.empty())
    example += ":" + info.parameters[0].name + "=" + default_text(info.parameters[0]);
  std::cout << "\n"
            << wrapped("Written as --defense " + shell_word(example) +
                           "; several parameters are separated by commas, a comma in a value is written \\,.",
                       width, 0)
            << std::endl;
}

int defenses(const DefensesArguments& arguments) {
  if (arguments.name.empty() && !arguments.json) {
    show_list(help_width());
    return 0;
  }
  note_former_names({arguments.name});
  std::vector<DefenseInfo> shown;
  if (arguments.name.empty())
    shown = defense_infos();
  else
    shown = {defense_info(arguments.name)};
  for (const DefenseInfo& info : shown) {
    if (arguments.json)
      print_row("defense", row_of(info));
    else
      show_one(info, help_width());
  }
  return 0;
}

}  // namespace

void note_former_names(const std::vector<std::string>& defenses) {
  for (const std::string& text : defenses) {
    const std::string former = text.substr(0, text.find(':'));
    const std::string current = current_defense(former);
    if (former != current) log_line("defense " + former + " is called " + current + " now.");
  }
}

void add_defenses(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand("defenses", "list the defenses, or the parameters of one");
  auto arguments = std::make_shared<DefensesArguments>();
  command->add_option("name", arguments->name, "a defense; without it, all are listed")->type_name("NAME");
  command->add_flag("--json", arguments->json, "for scripts: one JSON object a line, with all parameters");
  command->callback([&chosen, arguments] { chosen = [arguments] { return defenses(*arguments); }; });
}

}  // namespace hijack::cli
