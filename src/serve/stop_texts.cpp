#include "src/serve/stop_texts.h"

#include <algorithm>

#include "src/base/unicode.h"

namespace hijack {

std::string StopTexts::take(std::string_view piece) {
  if (met_) return {};
  held_ += piece;
  size_t shown = held_.size();
  for (const std::string& stop : stops_) {
    const size_t at = held_.find(stop);
    if (at != std::string::npos) met_ = true, shown = std::min(shown, at);
  }
  for (const std::string& stop : met_ ? std::vector<std::string>{} : stops_)
    for (size_t length = std::min(stop.size() - 1, held_.size()); length > 0; --length)
      if (held_.ends_with(std::string_view(stop).substr(0, length))) {
        shown = std::min(shown, held_.size() - length);
        break;
      }
  while (shown > 0 && shown < held_.size() && !unicode::starts_character(held_[shown])) --shown;
  std::string out = held_.substr(0, shown);
  held_ = met_ ? std::string() : held_.substr(shown);
  return out;
}

std::string StopTexts::rest() {
  return std::exchange(held_, {});
}

}  // namespace hijack
