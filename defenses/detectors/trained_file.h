#pragma once
#include <map>
#include <string>

#include "defenses/detectors/detectors.h"
#include "defenses/resources.h"
#include "models/checkpoint/safetensors.h"

namespace hijack {

/// The parameter of detectors that have learned from examples: the file that `hijack train detector` wrote.
struct TrainedParameters {
  std::string trained;
  std::string sha256;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("trained", trained, "file that 'hijack train detector' wrote, for this very model");
    field("sha256", sha256, "first digits of the file's SHA-256; \"\" = whatever it is. Rows have it");
  }
  /// Throws Error where no file is named.
  void check(const std::string& defense) const;
};

/// Of detectors that have learned and have nothing else to be told but their threshold.
struct LearnedParameters {
  TrainedParameters file = {};
  ThresholdParameters limit = {};

  template <class Visitor>
  void visit(Visitor&& field) {
    file.visit(field);
    limit.visit(field);
  }
  void check() const { limit.check(); }
};

/// What a detector has learned: safetensors with the metadata format ("hijack detector 1"), detector (its
/// name), model, model_sha256, and what the detector itself keeps there.
struct TrainedFile {
  TensorMap tensors = {};
  std::map<std::string, std::string> metadata = {};
  std::string where = {};

  /// Throws Error where there is no such entry.
  const std::string& text(const std::string& name) const;
  int64_t number(const std::string& name, int64_t least, int64_t most) const;
};

/// Reads it, and leaves in the parameters the last part of its name and its SHA-256, so that a detector's
/// name says what it has learned, wherever that lies. Throws Error for another file than `sha256` says, one
/// of another detector, and one that was trained on another model than that of the resources.
TrainedFile read_trained(TrainedParameters& parameters, const DefenseResources& resources,
                         const std::string& defense);

/// Writes one. metadata: format and detector are added.
void save_trained(const std::string& file, const std::string& detector, const TensorMap& tensors,
                  std::map<std::string, std::string> metadata);

}  // namespace hijack
