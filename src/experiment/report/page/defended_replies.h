#pragma once
#include <map>
#include <string>
#include <vector>

#include "src/experiment/report/page/parts.h"

// What was said to one question behind every defense, in every condition: equal replies stand together, with
// the defenses that gave them. Pointers refer to the runs given.

namespace hijack::report {

/// One reply, given behind one or several defenses.
struct Said {
  size_t order = 0;       ///< of its condition
  std::string condition;  ///< "adversarial image"
  std::string suffix;     ///< that the submission put behind the question
  const ReplyRow* reply = nullptr;
  std::vector<std::string> behind;  ///< "no defense", "jpeg:quality=90"

  bool same(const Said& other) const;
};

struct AskedQuestion {
  Query context;  ///< without any suffix
  std::string photo;
  std::vector<Said> said = {};
};

class DefendedReplies {
 public:
  explicit DefendedReplies(const std::vector<RunRecord>& runs);

  /// One fold for each held-out question of a trial, with the replies of attacks that were adapted from it.
  /// Empty where it was asked behind one defense (or none) only.
  std::string of(const TrialRef& trial, PageBudget& budget) const;
  /// The same for the questions of the utility benchmark; empty without defenses.
  std::string benign(PageBudget& budget) const;

  std::vector<AskedQuestion> questions_of(const TrialRef& trial) const;

 private:
  /// "jpeg:quality=90", with what tells it from others of its name.
  std::string behind(const ReplyRow& reply) const;
  std::vector<TrialRef> relatives(const TrialRef& trial) const;

  const std::vector<RunRecord>& runs_;
  std::map<std::string, std::string> names_;  ///< by defense and digest of its stack
};

}  // namespace hijack::report
