#include <iostream>

#include "models/activations/collect.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/cli/commands.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_options.h"
#include "src/cli/output_options.h"
#include "src/cli/progress.h"
#include "src/cli/text.h"
#include "src/experiment/plan/machine.h"
#include "src/experiment/plan/shipped.h"
#include "src/experiment/run/run_material.h"

namespace hijack::cli {
namespace {

struct ActivationArguments {
  ModelOptions model;
  std::vector<std::string> images, clean, noise, hijack, typographic, runs;
  std::string contexts, split = "test", prompt, hook = "residual", tokens = "last", reply, out;
  int64_t layer = -1, limit = 0, max_new_tokens = 32, shard_mib = 256;
  OutputOptions output;
};

/// What all images are asked, and by which model.
struct Situation {
  std::shared_ptr<const VisionLanguageModel> model = {};
  std::string name = {}, sha256 = {};
  std::vector<LabeledImage> images = {};
  std::vector<Query> queries = {};
};

void add_given(Situation& situation, const char* label, const std::vector<std::string>& files) {
  for (const std::string& file : files) situation.images.push_back({label, file, file});
}

std::vector<Query> queries_of(const ActivationArguments& arguments, const ContextSet& contexts) {
  if (!arguments.prompt.empty()) return {{.prompt = arguments.prompt}};
  return first_of_split(contexts, arguments.split, arguments.limit);
}

/// Images of runs, all of one model, which is asked what the first of them asked.
Situation of_runs(const ActivationArguments& arguments) {
  Situation situation;
  for (const std::string& run : arguments.runs) {
    const std::vector<std::string> moved = arguments.model.model.empty()
                                               ? std::vector<std::string>()
                                               : std::vector{arguments.model.folder().string()};
    RunMaterial material = read_run_material(run, moved);
    if (!situation.sha256.empty() && situation.sha256 != material.model_sha256)
      throw Error("'" + arguments.runs.front() + "' and '" + run + "' are runs of different models.");
    situation.images.insert(situation.images.end(), material.images.begin(), material.images.end());
    if (!situation.sha256.empty()) continue;
    situation.sha256 = material.model_sha256;
    situation.queries = queries_of(
        arguments, arguments.contexts.empty() ? material.contexts : read_contexts(arguments.contexts));
    AttackConfig config = material.config;
    config.device = arguments.model.device;
    situation.name = std::filesystem::path(config.model).filename().string();
    situation.model = load_model(config.model, load_options(config, config.model));
  }
  return situation;
}

Situation of_model(const ActivationArguments& arguments) {
  const std::filesystem::path folder = arguments.model.folder();
  Situation situation{.name = folder.filename().string(),
                      .sha256 = loaded_model_hash(folder, arguments.model.options())};
  const std::filesystem::path contexts = arguments.contexts.empty()
                                             ? default_contexts("string", folder)
                                             : std::filesystem::path(arguments.contexts);
  situation.queries =
      queries_of(arguments, arguments.prompt.empty() ? read_contexts(contexts) : ContextSet());
  situation.model = arguments.model.load();
  return situation;
}

Situation situation_of(const ActivationArguments& arguments) {
  Situation situation = arguments.runs.empty() ? of_model(arguments) : of_runs(arguments);
  add_given(situation, "image", arguments.images);
  add_given(situation, "clean", arguments.clean);
  add_given(situation, "noise", arguments.noise);
  add_given(situation, "hijack", arguments.hijack);
  add_given(situation, "typographic", arguments.typographic);
  const bool images = situation.model->takes_images();
  if (images && situation.images.empty())
    throw Error("hijack activations needs an image: --image, --clean, --hijack or --run.");
  if (!images && !situation.images.empty())
    throw Error("the model '" + situation.name + "' takes no images: leave them out.");
  if (!images) situation.images.push_back({"text", "", ""});
  return situation;
}

ActivationSource source_of(const Situation& situation, const ActivationRequest& request) {
  ActivationSource source{.model = situation.name,
                          .model_sha256 = situation.sha256,
                          .hook = request.hook,
                          .tokens = request.tokens,
                          .width = state_hooks_of(*situation.model).width()};
  for (const LabeledImage& image : situation.images) {
    if (std::find(source.labels.begin(), source.labels.end(), image.label) == source.labels.end())
      source.labels.push_back(image.label);
    source.images.push_back(image.name);
  }
  for (const Query& query : situation.queries) source.contexts.push_back(query.prompt);
  return source;
}

void print(const ActivationArguments& arguments, const std::vector<std::filesystem::path>& files,
           int64_t rows, int64_t width) {
  std::ostream& out = arguments.output.text();
  out << rows << " tokens of width " << width << ", " << arguments.hook << " " << arguments.layer << "\n";
  for (const auto& file : files) out << file.string() << "\n";
  out << std::flush;
  if (!arguments.output.json) return;
  std::vector<std::string> names;
  for (const auto& file : files) names.push_back(file.string());
  print_row("activations", {{"files", names}, {"rows", rows}, {"width", width}});
}

int run_activations(const ActivationArguments& arguments) {
  arguments.output.apply();
  const Interrupt interrupt;
  Progress progress;
  const ActivationRequest request{.hook = {hook_point_from_name(arguments.hook), arguments.layer},
                                  .tokens = token_choice_from_name(arguments.tokens),
                                  .reply = arguments.reply,
                                  .max_new_tokens = arguments.max_new_tokens};
  const Situation situation = situation_of(arguments);
  check_hook(request.hook, state_hooks_of(*situation.model).layers());
  const ActivationSource source = source_of(situation, request);
  ActivationWriter writer(arguments.out, source, arguments.shard_mib << 20);
  for (size_t i = 0; i < situation.images.size(); ++i) {
    progress.show({.name = "images",
                   .done = static_cast<int64_t>(i),
                   .total = static_cast<int64_t>(situation.images.size())});
    const LabeledImage& image = situation.images[i];
    const auto label =
        std::find(source.labels.begin(), source.labels.end(), image.label) - source.labels.begin();
    collect_activations(*situation.model, image.file.empty() ? Tensor() : load_image(image.file),
                        situation.queries, request, label, static_cast<int64_t>(i),
                        [&](ActivationRows rows) { writer.add(std::move(rows)); });
    if (interrupt.token().stop_requested()) throw Failure("stopped; nothing was written.");
  }
  progress.clear();
  print(arguments, writer.finish(), writer.rows(), source.width);
  return 0;
}

void add_images(CLI::App& command, ActivationArguments& arguments) {
  const auto add = [&](const char* flag, std::vector<std::string>& files, const char* help) {
    command.add_option(flag, files, help)->type_name("FILE");
  };
  add("--image", arguments.images, "photos, labeled 'image'");
  add("--clean", arguments.clean, "photos that nobody has changed, labeled 'clean'");
  add("--noise", arguments.noise, "photos with noise, labeled 'noise'");
  add("--hijack", arguments.hijack, "photos that control the model, labeled 'hijack'");
  add("--typographic", arguments.typographic, "photos with text drawn on them, labeled 'typographic'");
  command
      .add_option(
          "--run", arguments.runs,
          "run whose clean, noise and attacked images are taken, with its model and contexts; --model "
          "then says where that model lies now")
      ->type_name("RUN");
}

/// Which states of which tokens.
void add_tokens(CLI::App& command, ActivationArguments& arguments) {
  command
      .add_option("--hook", arguments.hook,
                  "residual (the stream behind a layer), mlp or attention (what a layer's part adds to it)")
      ->capture_default_str()
      ->type_name("NAME");
  command
      .add_option("--layer", arguments.layer,
                  "from 1 to the decoder's number of layers; residual 0 is what the decoder reads")
      ->required()
      ->type_name("N");
  command
      .add_option("--tokens", arguments.tokens,
                  "image, prompt (all other tokens of it), last (of the prompt, which predicts the reply), "
                  "reply or all")
      ->capture_default_str()
      ->type_name("NAME");
  command.add_option(
      "--reply", arguments.reply,
      "with --tokens reply or all: what the model is made to say; default: what it says itself");
  command.add_option("--max-new-tokens", arguments.max_new_tokens, "longest reply")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
}

}  // namespace

void add_activations(CLI::App& program, Action& chosen) {
  CLI::App* command = program.add_subcommand(
      "activations", "write what a model computes inside, token by token, with labels");
  auto arguments = std::make_shared<ActivationArguments>();
  arguments->model.add_to(*command);
  add_images(*command, *arguments);
  command
      ->add_option("--contexts", arguments->contexts,
                   "prompts, JSONL or CSV; default: the run's, or shipped ones")
      ->type_name("FILE");
  command->add_option("--split", arguments->split, "of the contexts: train, validation, test or calibration")
      ->capture_default_str()
      ->type_name("NAME");
  command->add_option("--limit", arguments->limit, "first contexts to take; 0 = all")->capture_default_str();
  command->add_option("--prompt", arguments->prompt, "one question in place of contexts");
  add_tokens(*command, *arguments);
  command
      ->add_option("--shard-mib", arguments->shard_mib,
                   "largest file; more becomes several, F-00001-of-00003 and so on")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536))
      ->type_name("N");
  command->add_option("--out", arguments->out, "safetensors file to write")->required()->type_name("FILE");
  arguments->output.add_to(*command, "the files, their rows and width");
  command->callback([&chosen, arguments] { chosen = [arguments] { return run_activations(*arguments); }; });
}

}  // namespace hijack::cli
