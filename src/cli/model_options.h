#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "models/load_model.h"
#include "models/not_finite.h"
#include "src/experiment/plan/machine.h"

namespace hijack::cli {

/// --model, --vision-tower, --adapter, --device, --dtype, --views, --max-pixels and --threads, for the
/// commands that only talk to a model.
struct ModelOptions {
  std::string model;
  std::string vision_tower;
  std::string adapter;
  std::string device = "cpu";
  std::string dtype = "auto";
  std::string views = "all";
  int64_t max_pixels = 0;
  int64_t threads = 0;

  void add_to(CLI::App& command);
  /// --views and --max-pixels alone: what the model sees of a photo.
  void add_image_options_to(CLI::App& command);
  /// --vision-tower and --adapter alone.
  void add_tower_to(CLI::App& command);
  /// --model, or the shipped one. Throws Error when there is no such folder.
  std::filesystem::path folder() const;
  std::shared_ptr<const VisionLanguageModel> load() const;
  /// How load() loads it.
  LoadOptions options() const { return {device, dtype, views, vision_tower, adapter, max_pixels}; }
  /// Throws again, with the reason, what the loaded model computed (models/not_finite.h).
  [[noreturn]] void explain(const NotFinite& found) const;
};

/// The photo of --image, [1,3,H,W]; undefined for a language model. Throws Error where --image is missing or
/// one too many.
Tensor submitted_image(const ModelOptions& model, const std::string& file);

/// --model, --device and --threads of the commands that work on a run: where its models lie now, and how it
/// is done this time, whatever its configuration says. They are no part of what a run is, so that it can go
/// on elsewhere.
struct MachineOptions {
  std::vector<std::string> models;
  std::string device;
  int64_t threads = -1;     ///< -1 = as the run says
  std::string image_batch;  ///< "" = as the run says

  void add_to(CLI::App& command);
  Machine machine() const;
};

/// --activation-checkpointing auto, on or off; decides no result, so it is no field of any config.
struct CheckpointingOption {
  std::string mode = "auto";

  void add_to(CLI::App& command);
  /// Throws Error for a mode that there is not.
  void apply() const;

 private:
  std::string former_;  ///< --recompute, as it was called once
};

}  // namespace hijack::cli
