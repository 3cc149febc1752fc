#pragma once
#include <string>
#include <vector>

#include "src/experiment/report/aggregate/trials.h"

namespace hijack::report {

/// Questions of one group under one kind of image (hijack probe), over all trials of the runs.
struct Probed {
  std::string group;
  std::string image;  ///< "hijack", "noise", "clean", "instruction"
  int64_t trials = 0;
  Rate said = {};       ///< replies that give the answer
  Rate preferred = {};  ///< where the answer is likelier than every other
  /// Mean log-likelihood of the answer less that of the others, nats; 95 % by a bootstrap over pairs (over
  /// questions, where there is one pair).
  double margin = 0;
  Interval margin_interval = {};
};
/// Groups in order of appearance, and of each the images in the order above. Empty where nobody probed.
std::vector<Probed> probed(const std::vector<RunRecord>& runs);

/// As a table of texts, the head first.
std::vector<std::vector<std::string>> probed_cells(const std::vector<Probed>& all);

/// What readers call an image: "hijacked", "noise of equal size", "clean photo", "clean photo, told in
/// words".
std::string probed_image_name(const std::string& image);

/// "63% (50–74%)".
std::string shown_with_interval(const Rate& rate);
/// "+4.1 (2.2 to 6.0)".
std::string shown_margin(const Probed& one);

}  // namespace hijack::report
