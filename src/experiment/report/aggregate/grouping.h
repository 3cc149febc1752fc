#pragma once
#include <optional>
#include <string>
#include <vector>

#include "src/experiment/report/aggregate/asked.h"

// How replies behind defenses are told apart: by attack, stack and variant of what was searched. Shared by
// the tables of defenses and of detectors.

namespace hijack::report {

/// An attack that was evaluated: trials that differ in nothing but seed, photo and defense.
struct EvaluatedAttack {
  std::string key;    ///< Asked::attack
  std::string model;  ///< Asked::model
  std::string label;  ///< "string, linf 8/255, pgd, steps=60"; empty where it is the only one
};
/// In the order of settings(). At least one.
std::vector<EvaluatedAttack> evaluated_attacks(const std::vector<RunRecord>& runs,
                                               const std::vector<Asked>& all);
/// Benign questions belong to every attack on their model.
bool belongs(const EvaluatedAttack& attack, const Asked& asked);

struct StackName {
  std::string key;      ///< Asked::stack
  std::string defense;  ///< as the user writes it
  std::string details;  ///< what tells it from other stacks of this name
};
/// "none" first, then in order of appearance.
std::vector<StackName> stack_names(const std::vector<Asked>& all);

/// What was searched with several settings, among replies of one attack and stack.
class Variants {
 public:
  explicit Variants(const std::vector<const Asked*>& rows);
  /// In order of appearance; {""} where nothing has several.
  const std::vector<std::string>& names() const { return names_; }
  /// Of a reply; nullopt where its condition has one variant only: it belongs to all of them.
  std::optional<std::string> of(const Asked& asked) const;

 private:
  std::map<std::string, std::map<std::string, std::string>> labels_;  ///< by condition and variant
  std::vector<std::string> names_;
};

}  // namespace hijack::report
