#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace hijack {

/// Holds back the end of a growing text for as long as it may be the beginning of a stop text.
class StopTexts {
 public:
  explicit StopTexts(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  /// What may be shown now that `piece` has come: whole characters.
  std::string take(std::string_view piece);
  /// What is left at the end; empty once a stop text was met.
  std::string rest();
  bool met() const { return met_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool met_ = false;
};

}  // namespace hijack
