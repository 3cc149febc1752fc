#pragma once
#include <memory>
#include <stop_token>

#include "attacks/attack.h"
#include "attacks/ranks.h"

namespace hijack {

/// Keeps the ranks of an attack together: all stop after the same step, and all have the same image. Without
/// ranks it does nothing.
class RankedSteps {
 public:
  /// own: what asks this process to stop.
  RankedSteps(std::shared_ptr<Ranks> ranks, std::stop_token own);

  /// Requested on all ranks after the same step, once one of them was asked.
  std::stop_token stop() const;
  /// Whether this process writes files: rank 0 does.
  bool writes() const { return writes_files(ranks_); }
  /// Before the first step and after each. Throws Failure when a rank has another image or another step,
  /// which it looks at before the first step and every tenth.
  void agree(const AttackState& state);
  /// What all ranks have agreed on last, for rank 0 to save when one is lost.
  const AttackState& last() const { return last_; }

 private:
  std::shared_ptr<Ranks> ranks_;
  std::stop_token own_;
  std::stop_source all_;
  AttackState last_;
  bool started_ = false;
};

/// Whether `mine` holds on every rank, and none was asked to stop; `mine` without ranks.
bool on_all_ranks(Ranks* ranks, bool mine);

}  // namespace hijack
