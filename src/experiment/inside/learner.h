#pragma once
#include <functional>
#include <string>
#include <vector>

#include "src/experiment/inside/examples.h"
#include "src/experiment/inside/separation.h"

// What all trainings of detectors share: tables of features, tests on what was not learned from, controls.

namespace hijack {

/// Features of examples, with their labels; rows in the order of DetectorExamples::all.
struct FeatureTable {
  Tensor features = {};  ///< float64 [n,F]
  std::vector<std::string> labels = {}, clusters = {};

  /// Of the examples with one of these labels.
  std::vector<int64_t> rows(const std::vector<std::string>& wanted) const;
  FeatureTable of(const std::vector<int64_t>& some) const;
  FeatureTable columns(const std::vector<int64_t>& some) const;
  /// Whether the label is "hijack", bool [n].
  Tensor hijacked() const;
};

/// The labels that are taught: "hijack" against "clean" and "noise".
extern const std::vector<std::string> kTaught;

/// Labels and clusters (prompts) of the examples; features are left to the caller.
FeatureTable table_of(const DetectorExamples& examples);

/// A line of the table that a training ends with.
struct SeparationRow {
  std::string what;      ///< "hijack from clean"
  std::string features;  ///< "all", or which of them (ablation)
  Separation found;
};

/// Appends the table's lines from scores of all examples, as far as there are examples for them; of an
/// ablation (features other than "all") the first one only.
void add_rows(std::vector<SeparationRow>& rows, const FeatureTable& table, const std::vector<double>& scores,
              const std::string& features);

/// float64 values as a list.
std::vector<double> as_list(const Tensor& values);

/// A training of a detector on one table of features, and its test on another (null: on prompts that it has
/// not seen).
class Learner {
 public:
  Learner(const FeatureTable& train, const FeatureTable* test, Fit fit)
      : train_(train), test_(test), fit_(std::move(fit)) {}
  /// All lines, the control with shuffled labels last.
  std::vector<SeparationRow> rows() const;
  /// The first line, of some of the features.
  SeparationRow ablation(const std::string& name, const std::vector<int64_t>& columns) const;

 private:
  /// Scores of every example that is tested on, by what has not seen its prompt (or its run).
  std::vector<double> held_out(const FeatureTable& train, const FeatureTable* test) const;
  Separation shuffled() const;

  const FeatureTable& train_;
  const FeatureTable* test_;
  Fit fit_;
};

}  // namespace hijack
