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

/// What the detectors of one measurement go by. run: whose contexts set the thresholds of detectors that do
/// not learn (which do not count here); it is read, and their benign replies are asked for, once for all of
/// them. Keeps references to the arguments.
class FeatureSources {
 public:
  FeatureSources(const DetectorExamples& examples, const InsideConfig& config,
                 const std::filesystem::path& run, const std::vector<std::string>& moved_models);
  ~FeatureSources();
  /// Features or scores of all examples for one name of InsideConfig::detectors. Throws Error for a defense
  /// without scores; for a layer that there is not; for an autoencoder of another model, hook or width; and
  /// as detectors do that cannot work with this model.
  FeatureSource of(const std::string& detector);

 private:
  class Detectors;
  const DetectorExamples& examples_;
  const InsideConfig& config_;
  const std::filesystem::path& run_;
  const std::vector<std::string>& moved_models_;
  std::unique_ptr<Detectors> detectors_;  ///< that do not learn; made with the first of them
};

}  // namespace hijack
