#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "models/load_model.h"
#include "src/experiment/plan/config.h"
#include "src/experiment/plan/dataset.h"
#include "src/experiment/record/results.h"

// What a finished run has for those who look inside of its model: the images of its trials with what was done
// to them, and what the bare model said.

namespace hijack {

/// An image with what was done to it: "clean", "noise" (of equal size), "hijack", "typographic".
struct LabeledImage {
  std::string label;
  std::string name;  ///< for people and rows: the file, or run and trial
  std::filesystem::path file;
  std::string trial = {};  ///< of the run; "" where there is none
  std::string photo = {};  ///< that it was made of, as TrialRow::source_image
};

struct RunMaterial {
  AttackConfig config;                          ///< of its first trial; model and contexts where they lie now
  std::map<std::string, AttackConfig> configs;  ///< of each trial with images, by its id
  std::vector<TrialRow> trials;                 ///< with images
  std::string model_sha256;
  std::vector<LabeledImage> images;
  ContextSet contexts;
  std::vector<ReplyRow> replies;  ///< of the bare model, not cut by a defense
};

/// SHA-256 of what decides the computation of a config's (first) model: model_hash, and those of another
/// tower and an adapter where it has them.
std::string loaded_model_hash(const std::filesystem::path& folder, const LoadOptions& options);

/// Reads a run, verified as `hijack evaluate` does: its inputs, weights and images. moved_models: folders of
/// models that are no longer where they were. Throws Error for a run without images, and for one of several
/// models, or, unless the contexts (those of the first trial) do not matter, of several contexts files.
RunMaterial read_run_material(const std::filesystem::path& run, const std::vector<std::string>& moved_models,
                              bool contexts_matter = true);

}  // namespace hijack
