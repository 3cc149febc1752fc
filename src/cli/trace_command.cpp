#include <iostream>

#include "models/checkpoint/safetensors.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/profile.h"
#include "src/base/tensor_math.h"
#include "src/cli/commands.h"
#include "src/cli/model_options.h"

namespace hijack::cli {
namespace {

struct TraceArguments {
  ModelOptions model;
  std::string image;
  std::string prompt;
  std::string system;
  std::string target;
  std::string out;
  CheckpointingOption checkpointing;
  std::string profile;
  bool show_prompt = false;
};

/// input_ids [L], pixel_values, target_ids [T], target_logits [T,V], loss [], pixel_gradient (like
/// pixel_values; neither for a language model): the user turn with its image through the chat template,
/// teacher-forced on the target without end token.
TensorMap trace(const VisionLanguageModel& model, const Tensor& image, const Query& query,
                const std::string& target) {
  const TokenIds target_ids = model.target_ids(target);
  if (target_ids.empty()) throw Error("--target is empty; give the reply whose loss is to be traced.");
  Pixels pixels = model.preprocess(on_device(image, model.device()));
  if (pixels.values.defined()) pixels.values = pixels.values.detach().requires_grad_(true);
  const std::vector<TokenIds> targets = {target_ids};
  const std::vector<Query> queries = {query};
  const Tensor logits = model.target_logits(pixels, queries, targets).at(0);
  const Tensor wanted = at::tensor(target_ids, at::kLong);
  const Tensor loss = at::cross_entropy_loss(logits, wanted.to(logits.device()));
  TensorMap tensors = {{"input_ids", at::tensor(model.input_ids(pixels, query), at::kLong)},
                       {"target_ids", wanted},
                       {"target_logits", logits.detach().cpu()},
                       {"loss", loss.detach().cpu()}};
  if (!pixels.values.defined()) return tensors;
  tensors["pixel_gradient"] = torch::autograd::grad({loss}, {pixels.values})[0].cpu();
  tensors["pixel_values"] = pixels.values.detach().cpu();
  return tensors;
}

int run_trace(const TraceArguments& arguments) {
  const Tensor image = submitted_image(arguments.model, arguments.image);
  arguments.checkpointing.apply();
  const auto model = arguments.model.load();
  const Query query{arguments.prompt, arguments.system};
  if (arguments.show_prompt) std::cout << model->rendered(query) << std::endl;
  Profile profile(arguments.profile);
  profile.start();
  const TensorMap tensors = trace(*model, image, query, arguments.target);
  profile.stop();
  save_safetensors(tensors, arguments.out);  // also what is not finite: it shows where
  for (const char* name : {"loss", "pixel_gradient"})
    if (tensors.contains(name) && !tensors.at(name).isfinite().all().item<bool>())
      arguments.model.explain(NotFinite(std::string("the ") +
                                        (name == std::string("loss") ? "loss" : "gradient") + " in " +
                                        arguments.out + " is not finite"));
  std::cout << profile.summary() << "loss " << tensors.at("loss").item<double>() << "\n"
            << arguments.out << std::endl;
  return 0;
}

}  // namespace

void add_trace(CLI::App& program, Action& chosen) {
  CLI::App* command =
      program.add_subcommand("trace", "write ids, pixels, logits, loss and gradient for a comparison");
  auto arguments = std::make_shared<TraceArguments>();
  arguments->model.add_to(*command);
  command->add_option("--image", arguments->image, "photo; none for a language model")->type_name("FILE");
  command->add_option("--prompt", arguments->prompt, "the user's question")->required();
  command->add_option("--system", arguments->system, "system prompt");
  command->add_option("--target", arguments->target, "the reply whose loss is differentiated")->required();
  command->add_flag("--show-prompt", arguments->show_prompt,
                    "print the prompt as the chat template renders it, before the loss");
  arguments->checkpointing.add_to(*command);
  command
      ->add_option("--profile", arguments->profile,
                   "write a trace of the computation for ui.perfetto.dev, and print the top operators")
      ->type_name("FILE");
  command->add_option("--out", arguments->out, "safetensors file to write")->required()->type_name("FILE");
  command->callback([&chosen, arguments] { chosen = [arguments] { return run_trace(*arguments); }; });
}

}  // namespace hijack::cli
