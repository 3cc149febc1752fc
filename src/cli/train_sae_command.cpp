#include "src/cli/train_sae_command.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/cli/field_options.h"
#include "src/cli/interrupt.h"
#include "src/cli/log.h"
#include "src/cli/model_options.h"
#include "src/cli/output_options.h"
#include "src/cli/progress.h"
#include "src/cli/text.h"
#include "src/experiment/plan/dataset.h"
#include "src/experiment/plan/shipped.h"
#include "src/experiment/run/run_material.h"
#include "src/training/sae_stream.h"
#include "src/training/sae_training.h"

namespace hijack::cli {
namespace {

/// A model whose states are learned from as it computes them.
struct StreamOptions {
  ModelOptions model;
  std::vector<std::string> images;
  std::string contexts, split = "test", hook = "residual", tokens = "all";
  int64_t layer = -1, limit = 0, max_new_tokens = 16, buffer = 32768;

  bool given() const { return !model.model.empty() || !images.empty() || layer >= 0; }
};

struct SaeArguments {
  SaeTrainConfig config;
  StreamOptions stream;
  OutputOptions output;
};

std::vector<Query> stream_queries(const StreamOptions& stream) {
  const std::filesystem::path contexts = stream.contexts.empty()
                                             ? default_contexts("string", stream.model.folder())
                                             : std::filesystem::path(stream.contexts);
  return first_of_split(read_contexts(contexts), stream.split, stream.limit);
}

StreamedModel streamed_model(const StreamOptions& stream) {
  const std::filesystem::path folder = stream.model.folder();
  StreamedModel made{.model = nullptr,
                     .source = {.model = folder.filename().string(),
                                .model_sha256 = loaded_model_hash(folder, stream.model.options()),
                                .hook = {hook_point_from_name(stream.hook), stream.layer},
                                .tokens = token_choice_from_name(stream.tokens)},
                     .images = {stream.images.begin(), stream.images.end()},
                     .queries = stream_queries(stream),
                     .max_new_tokens = stream.max_new_tokens,
                     .buffer = stream.buffer};
  made.model = stream.model.load();
  const bool images = made.model->takes_images();
  if (images && made.images.empty()) throw Error("hijack train sae --model needs photos: --image.");
  if (!images && !made.images.empty())
    throw Error("the model '" + made.source.model + "' takes no images: leave them out.");
  if (!images) made.images.emplace_back();
  check_hook(made.source.hook, state_hooks_of(*made.model).layers());
  made.source.width = state_hooks_of(*made.model).width();
  return made;
}

void report(const SaeArguments& arguments, const SaeMeasures& measures,
            const std::optional<PatchedLoss>& loss) {
  std::ostream& out = arguments.output.text();
  out << "on " << measures.tokens << " held-out tokens: L0 " << significant(measures.l0, 4)
      << ", explained variance " << significant(measures.explained_variance, 4) << "; dead latents "
      << significant(100 * measures.dead_share, 4) << " %\n";
  nlohmann::json row = to_json(measures);
  if (loss) {
    row.update(to_json(*loss));
    const auto each = [&](double sum) { return significant(loss->each(sum), 4); };
    out << "in the model's place, on " << loss->tokens << " tokens of replies: loss recovered "
        << significant(loss->recovered(), 4) << " (" << each(loss->patched) << " nats; " << each(loss->clean)
        << " as it is, " << each(loss->zero) << " without the states), KL " << each(loss->kl_patched)
        << " nats (" << each(loss->kl_zero) << " without)\n";
  }
  out << arguments.config.out << std::endl;
  write_file(std::filesystem::path(arguments.config.out) / "evaluation.json", row.dump(1) + "\n");
  row["folder"] = arguments.config.out;
  if (arguments.output.json) print_row("sae", row);
}

int train_sae(const SaeArguments& arguments) {
  arguments.output.apply();
  const Interrupt interrupt;
  std::optional<StreamedModel> streamed;
  if (arguments.stream.given()) {
    if (!arguments.config.activations.empty())
      throw Error("--activations are states that were stored: leave out --model, --image and --layer.");
    SaeTraining::check(arguments.config);
    streamed = streamed_model(arguments.stream);
  }
  SaeTraining training =
      streamed ? SaeTraining(arguments.config,
                             streamed_states(*streamed, arguments.config.batch, arguments.config.seed))
               : SaeTraining(arguments.config);
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
  std::optional<PatchedLoss> loss;
  if (streamed) loss = held_out_loss(*streamed, training.folded());
  report(arguments, training.measure(), loss);
  return 0;
}

void add_stream(CLI::App& command, StreamOptions& stream) {
  stream.model.add_to(command);
  command.add_option("--image", stream.images, "with --model: photos that it is asked about")
      ->type_name("FILE");
  command
      .add_option("--contexts", stream.contexts, "with --model: prompts, JSONL or CSV; default: shipped ones")
      ->type_name("FILE");
  command.add_option("--split", stream.split, "of the contexts: train, validation, test or calibration")
      ->capture_default_str()
      ->type_name("NAME");
  command.add_option("--limit", stream.limit, "first contexts to take; 0 = all")->capture_default_str();
  command.add_option("--hook", stream.hook, "with --model: residual, mlp or attention")
      ->capture_default_str()
      ->type_name("NAME");
  command.add_option("--layer", stream.layer, "with --model: as of hijack activations")->type_name("N");
  command
      .add_option("--tokens", stream.tokens,
                  "with --model: image, prompt, last, reply or all, as of hijack activations")
      ->capture_default_str()
      ->type_name("NAME");
  command.add_option("--max-new-tokens", stream.max_new_tokens, "with --model: longest reply")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  command
      .add_option("--buffer", stream.buffer,
                  "with --model: tokens in memory at a time; then others are computed")
      ->capture_default_str()
      ->check(CLI::Range(1024, 100'000'000))
      ->type_name("N");
}

}  // namespace

void add_train_sae(CLI::App& command, Action& chosen) {
  CLI::App* sub = command.add_subcommand(
      "sae", "a sparse autoencoder of stored activations or of a model's, in SAELens' form");
  auto arguments = std::make_shared<SaeArguments>();
  auto options = std::make_shared<FieldOptions>(*sub, fields_of(arguments->config));
  add_stream(*sub, arguments->stream);
  arguments->output.add_to(*sub, "what the autoencoder does on held-out tokens");
  sub->callback([&chosen, arguments, options] {
    chosen = [arguments, options] {
      options->apply();
      return train_sae(*arguments);
    };
  });
}

}  // namespace hijack::cli
