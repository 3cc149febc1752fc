#include "src/cli/train_steering_command.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "src/cli/field_options.h"
#include "src/cli/log.h"
#include "src/cli/output_options.h"
#include "src/cli/text.h"
#include "src/experiment/inside/train_steering.h"

namespace hijack::cli {
namespace {

struct SteeringArguments {
  SteeringTrainConfig config;
  OutputOptions output;
};

int find_direction(const SteeringArguments& arguments) {
  arguments.output.apply();
  const TrainedSteering trained =
      train_steering(arguments.config, [](const std::string& text) { log_line(text + "."); });
  std::ostream& out = arguments.output.text();
  std::vector<std::vector<std::string>> table = {{"image", "prompts", "log-likelihood of the forced replies",
                                                  "without its strongest patches",
                                                  "without as many random ones"}};
  for (const SteeredImage& one : trained.images)
    table.push_back({std::to_string(table.size()), std::to_string(one.prompts), fixed(one.whole, 1),
                     fixed(one.without, 1) + " (" + std::to_string(one.patches) + " patches)",
                     fixed(one.without_any, 1)});
  out << table_text(table) << "layer " << trained.layer << ", reference from " << trained.honest
      << " tokens of honest replies\n"
      << arguments.config.out << std::endl;
  if (!arguments.output.json) return 0;
  nlohmann::json row = to_json(trained);
  row["file"] = arguments.config.out;
  print_row("steering", row);
  return 0;
}

}  // namespace

void add_train_steering(CLI::App& command, Action& chosen) {
  CLI::App* sub = command.add_subcommand(
      "steering", "a direction that --defense steering moves states away from, out of runs (ASTRA)");
  auto arguments = std::make_shared<SteeringArguments>();
  sub->add_option("--run", arguments->config.runs,
                  "finished run whose images forced replies; several of one model")
      ->required()
      ->type_name("RUN");
  sub->add_option("--model", arguments->config.moved_models,
                  "where the runs' model lies now, if its folder was moved")
      ->type_name("DIR");
  auto options = std::make_shared<FieldOptions>(*sub, fields_of(arguments->config));
  arguments->output.add_to(*sub, "what the patches that were found do");
  sub->callback([&chosen, arguments, options] {
    chosen = [arguments, options] {
      options->apply();
      return find_direction(*arguments);
    };
  });
}

}  // namespace hijack::cli
