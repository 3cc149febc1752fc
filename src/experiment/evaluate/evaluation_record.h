#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "src/experiment/plan/utility_set.h"
#include "src/experiment/record/run_folder.h"
#include "src/experiment/run/question.h"

namespace hijack {

/// What an evaluation adds to a run's manifest: stacks with their thresholds, text-side controls and how they
/// were searched for, plans of adaptive attacks. In memory until it is written.
class EvaluationRecord {
 public:
  /// Keeps the folder.
  explicit EvaluationRecord(RunFolder& folder) : folder_(folder), manifest_(folder.manifest()) {}

  const nlohmann::json& manifest() const { return manifest_; }

  /// Throws Error when a threshold that was recorded before is not the one that the same calibration gives
  /// now.
  void add_stack(const IdentifiedStack& stack);
  void add_variant(const std::string& digest, const nlohmann::json& made_by) {
    manifest_["variants"][digest] = made_by;
  }
  /// Which benign questions a model (by its hash) of this run is asked. Throws Error where it was others
  /// before: a table that pools two sets says nothing about either.
  void add_utility_set(const std::string& model, const UtilitySet& set);
  /// What is known of a victim behind an API: its address, what it was asked for as, and what its answers
  /// call the model that gave them. Its calls stand in calls.jsonl.
  void add_victim(const std::string& name, const nlohmann::json& known) {
    manifest_["victims"][name] = known;
  }
  void add_adaptive_plan(const nlohmann::json& plan);
  /// The suffix that was kept under a key; nullopt where there is none.
  std::optional<std::string> suffix(const std::string& key) const;
  /// entry: {"text": the suffix, ...}
  void keep_suffix(const std::string& key, const nlohmann::json& entry) {
    manifest_["text_suffixes"][key] = entry;
  }
  void write() { folder_.write_manifest(manifest_); }

 private:
  RunFolder& folder_;
  nlohmann::json manifest_;
};

}  // namespace hijack
