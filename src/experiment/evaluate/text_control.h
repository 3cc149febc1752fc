#pragma once
#include <optional>
#include <string>

#include "attacks/text/gcg.h"
#include "src/experiment/evaluate/evaluation_record.h"
#include "src/experiment/evaluate/trial_evaluation.h"

namespace hijack {

/// The text-side control of an evaluation: a suffix found by GCG on training contexts, through a stack or
/// without. Made once for each trial, stack and settings of the search, and kept in the manifest, so that a
/// later evaluation compares like with like.
class TextControl {
 public:
  /// Keeps record and hooks.
  TextControl(const GcgConfig& config, EvaluationRecord& record, const RunHooks& hooks);

  /// Digest of the settings of the search (ReplyRow::variant).
  const std::string& variant() const { return variant_; }
  /// nullopt when stopped: a suffix whose search was cut short is not kept.
  std::optional<std::string> suffix(const TrialEvaluation& evaluation, const IdentifiedStack& through);

 private:
  std::string search(const TrialEvaluation& evaluation, const DefenseStack& through,
                     const GcgConfig& search) const;
  void note(const std::string& text) const {
    if (hooks_.on_note) hooks_.on_note(text);
  }

  GcgConfig config_;
  EvaluationRecord& record_;
  const RunHooks& hooks_;
  nlohmann::json made_by_;  ///< the settings as the manifest's "variants" have them, with their digest
  std::string variant_;
};

}  // namespace hijack
