#include "src/cli/model_options.h"

#include <ATen/Parallel.h>

#include "models/dtype.h"
#include "models/load_model.h"
#include "models/network/activation_checkpointing.h"
#include "models/prefix/images_at_once.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/cli/help.h"
#include "src/cli/log.h"
#include "src/experiment/plan/shipped.h"
#include "src/experiment/plan/without_images.h"

namespace hijack::cli {
namespace {

constexpr const char* kNoNumbers = "Device meta has no numbers to compute with; use --device cpu or cuda.";

}  // namespace

void ModelOptions::add_image_options_to(CLI::App& command) {
  command.add_option("--views", views, kViewsHelp)->capture_default_str()->type_name("NAME");
  command.add_option("--max-pixels", max_pixels, kMaxPixelsHelp)->capture_default_str()->type_name("N");
}

void ModelOptions::add_to(CLI::App& command) {
  command
      .add_option(
          "--model", model,
          "Hugging Face folder of the model, or a short name of 'hijack models --list'; default: the shipped "
          "pocket model")
      ->type_name("DIR");
  add_tower_to(command);
  command.add_option("--device", device, "cpu, cuda or cuda:1")->capture_default_str()->type_name("NAME");
  command.add_option("--dtype", dtype, kDtypeHelp)->capture_default_str()->type_name("NAME");
  add_image_options_to(command);
  command.add_option("--threads", threads, "CPU threads; 0 = all cores")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024))
      ->type_name("N");
}

void ModelOptions::add_tower_to(CLI::App& command) {
  command
      .add_option(
          "--vision-tower", vision_tower,
          "CLIP or SigLIP folder whose tower takes the place of the model's own (FARE, TeCoA; also by the "
          "names of open_clip)")
      ->type_name("DIR");
  command.add_option("--adapter", adapter, "LoRA adapter, a folder of PEFT, that is merged into the weights")
      ->type_name("DIR");
}

void MachineOptions::add_to(CLI::App& command) {
  command
      .add_option(
          "--model", models,
          "where a model of the run lies now, if its folder was moved: known by its files, which must be "
          "those that the run used; once for each")
      ->allow_extra_args(false)
      ->type_name("DIR")
      ->group("Machine");
  command.add_option("--device", device, "cpu, cuda or cuda:1, in place of the run's own setting")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->type_name("NAME")
      ->group("Machine");
  command.add_option("--threads", threads, "CPU threads, in place of the run's own setting; 0 = all cores")
      ->check(CLI::Range(0, 1024))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->type_name("N")
      ->group("Machine");
  command
      .add_option("--image-batch", image_batch,
                  std::string(kImageBatchHelp) + "; in place of the run's own setting")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->type_name("N")
      ->group("Machine");
}

Machine MachineOptions::machine() const {
  if (device == "meta") throw Error(kNoNumbers);
  Machine machine{device, std::nullopt};
  if (threads >= 0) machine.threads = threads;
  if (!image_batch.empty()) image_batch_from_name(image_batch);  // checks
  machine.image_batch = image_batch;
  return machine;
}

std::filesystem::path ModelOptions::folder() const {
  const std::filesystem::path named = model_folder(model);
  if (!std::filesystem::is_directory(named))
    throw Error("There is no model folder '" + named.string() +
                "'; --model takes a Hugging Face checkpoint folder.");
  return named;
}

std::shared_ptr<const VisionLanguageModel> ModelOptions::load() const {
  if (device == "meta") throw Error(kNoNumbers);
  if (threads > 0) at::set_num_threads(static_cast<int>(threads));
  return load_model(folder(), options());
}

Tensor submitted_image(const ModelOptions& model, const std::string& file) {
  const std::filesystem::path folder = model.folder();
  const bool images = takes_images(folder);
  if (images && file.empty())
    throw Error("hijack needs --image: the model '" + folder.string() + "' is asked about a photo.");
  if (!images && !file.empty()) throw Error(language_model_named(folder.string()) + ": leave --image out.");
  return images ? load_image(file) : Tensor();
}

void ModelOptions::explain(const NotFinite& found) const {
  const std::filesystem::path from = folder();
  hijack::explain(found, {&from, 1}, options());
}

void CheckpointingOption::add_to(CLI::App& command) {
  command
      .add_option(
          "--activation-checkpointing", mode,
          "compute activations again in the backward pass, for less memory and a third more time: on, "
          "off, or auto = when they exceed half of the free memory")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(command.get_name() == "attack" ? rare_group("Machine") : "Options");
  command.add_option("--recompute", former_)->group("");
}

void CheckpointingOption::apply() const {
  if (!former_.empty()) log_line("--recompute is called --activation-checkpointing now.");
  set_activation_checkpointing(checkpointing_from_name(former_.empty() ? mode : former_));
}

}  // namespace hijack::cli
