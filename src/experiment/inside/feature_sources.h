#pragma once
#include <memory>
#include <string>

#include "src/experiment/inside/examples.h"
#include "src/experiment/inside/separation.h"
#include "src/experiment/plan/inside_config.h"

namespace hijack {

/// What a detector goes by. Either it learns from features, or it has scores of its own.
struct FeatureSource {
  std::string name;      ///< as rows call it
  Tensor features = {};  ///< float64 [n,F] of the examples; undefined: it does not learn
  Fit fit = {};
  std::vector<double> scores = {};  ///< of the examples, where it does not learn

  bool learns() const { return features.defined(); }
};

/// Throws Error for a name that is no detector, naming the nearest.
void check_detector_name(const std::string& detector);

/// Features or scores of all examples for one name of InsideConfig::detectors. run: whose contexts set the
/// thresholds of detectors that do not learn (which do not count here). Throws Error for a defense without
/// scores; for a layer that there is not; for an autoencoder of another model, hook or
/// width; and as detectors do that cannot work with this model.
FeatureSource feature_source(const std::string& detector, const DetectorExamples& examples,
                             const InsideConfig& config, const std::filesystem::path& run,
                             const std::vector<std::string>& moved_models);

}  // namespace hijack
