#include <iostream>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/cli/commands.h"
#include "src/experiment/record/recorded_images.h"
#include "src/experiment/report/report.h"

namespace hijack::cli {
namespace {

struct ReportArguments {
  std::vector<std::string> runs;
  std::string out;
  std::string format;
  bool json = false;
};

/// --format, else the ending of -o, else html.
std::string format_of(const ReportArguments& arguments) {
  if (arguments.json && !arguments.format.empty() && arguments.format != "json")
    throw Error("--json and --format " + arguments.format + " contradict each other: give one of them.");
  if (arguments.json) return "json";
  if (!arguments.format.empty()) return arguments.format;
  const std::string ending = std::filesystem::path(arguments.out).extension().string();
  return ending.size() > 1 ? ending.substr(1) : "html";
}

int report(const ReportArguments& arguments) {
  const std::string format = format_of(arguments);
  std::vector<RunRecord> records;
  for (const std::string& run : arguments.runs) records.push_back(read_verified_run(run));
  const std::string text = make_report(format, records);
  const bool to_file = !arguments.out.empty() || format == "html";
  if (!to_file || arguments.out == "-") {
    std::cout << text;
    return 0;
  }
  const auto file =
      arguments.out.empty() ? records[0].folder / "report.html" : std::filesystem::path(arguments.out);
  write_file(file, text);
  std::cout << file.string() << std::endl;
  return 0;
}

}  // namespace

void add_report(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand("report", "make a report from the rows of one or several runs");
  auto arguments = std::make_shared<ReportArguments>();
  command->add_option("run", arguments->runs, "run folders")->required()->type_name("RUN ...");
  command
      ->add_option(
          "-o,--out", arguments->out,
          "file to write, - for standard output; default: RUN/report.html, or standard output for the others")
      ->type_name("FILE");
  command
      ->add_option("--format", arguments->format, "html, md, latex, csv or json; default: the file's ending")
      ->type_name("NAME");
  command->add_flag("--json", arguments->json, "the same as --format json");
  command->callback([&chosen, arguments] { chosen = [arguments] { return report(*arguments); }; });
}

}  // namespace hijack::cli
