#pragma once
#include <filesystem>

#include "attacks/behavior.h"

namespace hijack {

/// The model says one of several sentences, whichever (the small target corpus of Qi et al. 2024). Objectives
/// draw one of them for each context and step.
class CorpusBehavior : public Behavior {
 public:
  /// Throws Error when there are no targets.
  explicit CorpusBehavior(std::vector<std::string> targets);
  std::string name() const override { return "corpus"; }
  /// The first: what losses outside the optimization are measured with.
  std::string target_for(const Context&) const override { return targets_.front(); }
  std::vector<std::string> targets_for(const Context&) const override { return targets_; }
  /// The reply is one of the targets.
  bool succeeded(const Context& context, const Generated& reply) const override;
  /// One of them occurs in it.
  bool matches_substring(const Context& context, const Generated& reply) const override;

 private:
  std::vector<std::string> targets_;
};

/// Targets of a file: the column `target` of a .csv, else one per line; white space around them and empty
/// ones are dropped. Throws Error when it cannot be read, has no such column, no target or more than 10000.
std::vector<std::string> read_targets(const std::filesystem::path& file);

}  // namespace hijack
