#include "src/serve/stop_texts.h"

#include <algorithm>

#include "src/base/unicode.h"

namespace hijack {
namespace {

/// How many bytes at the end of a text may be the beginning of `stop`.
size_t begun(const std::string& text, const std::string& stop) {
  for (size_t length = std::min(stop.size() - 1, text.size()); length > 0; --length)
    if (text.ends_with(std::string_view(stop).substr(0, length))) return length;
  return 0;
}

}  // namespace

std::string StopTexts::take(std::string_view piece) {
  if (met_) return {};
  held_ += piece;
  size_t shown = held_.size();
  for (const std::string& stop : stops_) {
    const size_t at = held_.find(stop);
    if (at != std::string::npos) met_ = true, shown = std::min(shown, at);
  }
  if (!met_)
    for (const std::string& stop : stops_) shown = std::min(shown, held_.size() - begun(held_, stop));
  while (shown > 0 && shown < held_.size() && !unicode::starts_character(held_[shown])) --shown;
  std::string out = held_.substr(0, shown);
  held_ = met_ ? std::string() : held_.substr(shown);
  return out;
}

std::string StopTexts::rest() {
  return std::exchange(held_, {});
}

}  // namespace hijack
