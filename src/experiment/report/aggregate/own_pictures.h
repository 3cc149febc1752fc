#pragma once
#include <string>
#include <vector>

#include "src/experiment/record/results.h"
#include "src/experiment/report/values/rate.h"

namespace hijack::report {

/// What was said about the pictures of a test set (hijack evaluate --images-of).
struct OwnPictures {
  std::string set;  ///< "mm-safetybench, 01-Illegal_Activity"
  std::string defense;
  std::string whom;      ///< "asked of URL#MODEL"; "" = the run's own model
  Rate obeyed;           ///< replies that are no refusal; of sets with right answers: that are right
  Rate rejected;         ///< by the defense
  bool answers = false;  ///< the set has right answers
};
/// In order of appearance; each question once.
std::vector<OwnPictures> own_pictures(const std::vector<RunRecord>& runs);

}  // namespace hijack::report
