#include "src/cli/train_sae_command.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "src/base/file.h"
#include "src/cli/field_options.h"
#include "src/cli/interrupt.h"
#include "src/cli/log.h"
#include "src/cli/output_options.h"
#include "src/cli/progress.h"
#include "src/cli/text.h"
#include "src/training/sae_training.h"

namespace hijack::cli {
namespace {

struct SaeArguments {
  SaeTrainConfig config;
  OutputOptions output;
};

void report(const SaeArguments& arguments, const SaeMeasures& measures) {
  const auto rounded = [](double value) {
    std::ostringstream text;
    text << std::setprecision(4) << value;
    return text.str();
  };
  arguments.output.text() << "on " << measures.tokens << " held-out tokens: L0 " << rounded(measures.l0)
                          << ", explained variance " << rounded(measures.explained_variance)
                          << "; dead latents " << rounded(100 * measures.dead_share) << " %\n"
                          << arguments.config.out << std::endl;
  nlohmann::json row = to_json(measures);
  write_file(std::filesystem::path(arguments.config.out) / "evaluation.json", row.dump(1) + "\n");
  row["folder"] = arguments.config.out;
  if (arguments.output.json) print_row("sae", row);
}

int train_sae(const SaeArguments& arguments) {
  arguments.output.apply();
  const Interrupt interrupt;
  SaeTraining training(arguments.config);
  Progress progress;
  const bool finished = training.run(
      [&](const SaeProgress& now) {
        progress.show({.name = "autoencoder", .done = now.step, .total = now.steps, .loss = now.loss});
      },
      interrupt.token());
  progress.clear();
  if (!finished) {
    log_line("stopped; go on with the same command and --resume.");
    return 1;
  }
  report(arguments, training.measure());
  return 0;
}

}  // namespace

void add_train_sae(CLI::App& command, Action& chosen) {
  CLI::App* sub =
      command.add_subcommand("sae", "a sparse autoencoder on stored activations, in SAELens' form");
  auto arguments = std::make_shared<SaeArguments>();
  auto options = std::make_shared<FieldOptions>(*sub, fields_of(arguments->config));
  arguments->output.add_to(*sub, "what the autoencoder does on held-out tokens");
  sub->callback([&chosen, arguments, options] {
    chosen = [arguments, options] {
      options->apply();
      return train_sae(*arguments);
    };
  });
}

}  // namespace hijack::cli
