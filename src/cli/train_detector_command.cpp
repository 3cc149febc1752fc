#include "src/cli/train_detector_command.h"

#include <iostream>

#include "src/cli/log.h"
#include "src/cli/output_options.h"
#include "src/cli/text.h"
#include "src/experiment/inside/train_detector.h"

namespace hijack::cli {
namespace {

struct DetectorArguments {
  DetectorTrainConfig config;
  OutputOptions output;
};

void print(const DetectorArguments& arguments, const TrainedDetector& trained) {
  std::ostream& out = arguments.output.text();
  std::vector<std::vector<std::string>> table = {
      {"tells", "features", "n", "AUROC", "95 %", "found at 1 % false alarms", "at 5 %"}};
  for (const SeparationRow& row : trained.rows)
    table.push_back({row.what, row.features,
                     std::to_string(row.found.positives) + " from " + std::to_string(row.found.negatives),
                     fixed(row.found.auroc, 3),
                     fixed(row.found.interval.low, 3) + " to " + fixed(row.found.interval.high, 3),
                     fixed(row.found.found_at_1, 3), fixed(row.found.found_at_5, 3)});
  out << table_text(table);
  if (trained.layer >= 0) out << "layer " << trained.layer << "\n";
  if (trained.last > 0) out << "layers " << trained.first << " to " << trained.last << "\n";
  out << arguments.config.out << std::endl;
  if (!arguments.output.json) return;
  nlohmann::json row = to_json(trained);
  row["file"] = arguments.config.out;
  print_row("detector", row);
}

int train(const DetectorArguments& arguments) {
  arguments.output.apply();
  print(arguments, train_detector(arguments.config, [](const std::string& text) { log_line(text + "."); }));
  return 0;
}

/// What concerns some of the detectors.
void add_choices(CLI::App& command, DetectorTrainConfig& config) {
  command
      .add_option(
          "--layer", config.layer,
          "linear_probe, mahalanobis: layer of the residual stream; -1 = the one that tells held-out prompts "
          "apart best")
      ->capture_default_str()
      ->type_name("N");
  command
      .add_option("--tokens", config.tokens, "unrelated_questions: of a reply that stay in the conversation")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
  command
      .add_option(
          "--lies", config.lies,
          "unrelated_questions: replies of each control: lies by instruction, honest replies under the "
          "hijack's image, forced ones over the clean photo")
      ->capture_default_str()
      ->check(CLI::Range(0, 10000))
      ->type_name("N");
  command
      .add_option(
          "--refused", config.refused,
          "hidden_detect: contexts that the model refuses, with benign ones as \"split\": \"calibration\"; "
          "default: shipped ones")
      ->type_name("FILE");
}

}  // namespace

void add_train_detector(CLI::App& command, Action& chosen) {
  CLI::App* sub = command.add_subcommand(
      "detector", "a detector of hijacks that learns from runs: what a model answers or computes inside");
  auto arguments = std::make_shared<DetectorArguments>();
  DetectorTrainConfig& config = arguments->config;
  sub->add_option("detector", config.detector,
                  "unrelated_questions, hidden_detect, linear_probe or mahalanobis")
      ->required()
      ->type_name("NAME");
  sub->add_option("--run", config.runs, "finished run to learn from; several of one model")
      ->required()
      ->type_name("RUN");
  sub->add_option(
         "--test-run", config.test_runs,
         "run to be tested on, of other photos, behaviors or budgets; default: prompts held out of --run")
      ->type_name("RUN");
  sub->add_option("--model", config.moved_models, "where the runs' model lies now, if its folder was moved")
      ->type_name("DIR");
  add_choices(*sub, config);
  sub->add_option("--out", config.out, "safetensors file to write")->required()->type_name("FILE");
  arguments->output.add_to(*sub, "what it tells apart, with intervals");
  sub->callback([&chosen, arguments] { chosen = [arguments] { return train(*arguments); }; });
}

}  // namespace hijack::cli
