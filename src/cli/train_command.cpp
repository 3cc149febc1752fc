#include <iostream>

#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/cli/commands.h"
#include "src/cli/field_options.h"
#include "src/cli/interrupt.h"
#include "src/cli/log.h"
#include "src/cli/output_options.h"
#include "src/cli/progress.h"
#include "src/cli/text.h"
#include "src/pocket/evaluation.h"
#include "src/pocket/trainer.h"

namespace hijack::cli {
namespace {

constexpr uint64_t kEvaluationSeed = 99;

std::string fixed(double value) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(2) << value;
  return text.str();
}

/// Prints and stores what the model can do, and whether hijacks are possible on it.
void evaluate(const TrainConfig& config, int64_t questions) {
  const auto model = load_model(config.out, {.device = config.device, .dtype = "float32"});
  const auto scores = score_tasks(*model, questions, kEvaluationSeed);
  const HijackGate gate = measure_gate(*model, config.seed);
  nlohmann::ordered_json measured;
  std::vector<std::vector<std::string>> rows = {{"task", "right on held-out scenes and wordings"}};
  for (const auto& [task, score] : scores) {
    rows.push_back({task, rate_text(score.right, score.n)});
    measured["tasks"][task] = {
        {"right", score.right}, {"n", score.n}, {"visual", score.visual}, {"wrong", score.wrong}};
  }
  measured["gate"] = {{"participation_ratio", gate.participation_ratio},
                      {"dimensions_90", gate.dimensions_90},
                      {"movement", gate.movement}};
  write_file(std::filesystem::path(config.out) / "evaluation.json", measured.dump(1) + "\n");
  std::cout << table_text(rows) << "gate: participation ratio " << fixed(gate.participation_ratio)
            << " (>= 30), dimensions for 90 % " << fixed(gate.dimensions_90) << " (>= 40), movement "
            << fixed(gate.movement) << " (.2-.3)\n"
            << config.out << std::endl;
}

int train(const TrainConfig& config, bool evaluate_only, int64_t questions) {
  if (!evaluate_only) {
    const Interrupt interrupt;
    Progress progress;
    PocketTrainer trainer(config);
    const bool finished = trainer.run(
        [&](const TrainProgress& now) {
          progress.show({.name = now.stage,
                         .done = now.step,
                         .total = now.steps,
                         .loss = now.stage == "joint" ? now.answer_loss : now.reconstruction_loss});
        },
        interrupt.token());
    progress.clear();
    if (!finished) {
      log_line("stopped; go on with: hijack train pocket --resume --out " + shell_word(config.out));
      return 1;
    }
  }
  evaluate(config, questions);
  return 0;
}

}  // namespace

void add_train(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand("train", "make a model from nothing");
  CLI::App* pocket = command->add_subcommand("pocket", "the shipped model, from generated data");
  command->require_subcommand(1);
  struct Arguments {
    TrainConfig config;
    bool evaluate_only = false;
    int64_t questions = 1200;
    OutputOptions output;
  };
  auto arguments = std::make_shared<Arguments>();
  auto options = std::make_shared<FieldOptions>(*pocket, fields_of(arguments->config));
  pocket->add_flag("--evaluate-only", arguments->evaluate_only, "measure the model in --out again");
  pocket->add_option("--questions", arguments->questions, "questions of the closing evaluation")
      ->capture_default_str();
  arguments->output.add_to(*pocket, "");
  pocket->callback([&chosen, arguments, options] {
    chosen = [arguments, options] {
      arguments->output.apply();
      options->apply();
      return train(arguments->config, arguments->evaluate_only, arguments->questions);
    };
  });
}

}  // namespace hijack::cli
