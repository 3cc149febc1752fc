#pragma once
#include <map>
#include <string>
#include <vector>

#include "src/experiment/report/aggregate/trials.h"
#include "src/experiment/report/values/agreement.h"

namespace hijack::report {

/// One kind of reply behind one defense, as several judges see it.
struct JudgedReplies {
  std::string what;     ///< "adversarial image", "adversarial image, adaptive", "clean image", ...
  std::string defense;  ///< "none" = the bare model
  Rate recorded;        ///< exact success as it was measured
  std::map<std::string, Rate> by_judge;
};

/// Two judges on the same replies; "recorded" is the success test of the run.
struct JudgePair {
  std::string first, second;
  Agreement agreement;
};

struct Judged {
  std::vector<std::string> judges;     ///< in order of appearance
  std::vector<JudgedReplies> replies;  ///< attacks and controls on held-out contexts
  /// Share of replies to harmless prompts (benign questions, clean images) that were rejected or have a
  /// phrase of a refusal in them, by defense: counted from the replies, whoever judges.
  std::map<std::string, Rate> harmless_refused;
  std::vector<JudgePair> agreements;
};
/// No judges where nobody judged. Replies that a judge has not seen do not count for it.
Judged judged(const std::vector<RunRecord>& runs);

}  // namespace hijack::report
