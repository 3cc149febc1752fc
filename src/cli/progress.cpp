#include "src/cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "src/cli/log.h"

namespace hijack::cli {
namespace {

constexpr double kSecondsBetweenLines = 5;
constexpr double kSecondsBetweenDraws = 0.1;

int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string number(const char* format, double value) {
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string bar(const ProgressState& state, size_t width) {
  const double share =
      state.total > 0 ? static_cast<double>(state.done) / static_cast<double>(state.total) : 0;
  const auto full = static_cast<size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(width));
  return "[" + std::string(full, '#') + std::string(width - full, '.') + "]";
}

struct Part {
  std::string text;
  int rank;  ///< the highest goes first when the line is too long
};

std::vector<Part> parts_of(const ProgressState& state, size_t bar_width) {
  std::vector<Part> parts = {{state.name, 5}};
  if (state.count > 1)
    parts.push_back({"trial " + std::to_string(state.number) + " of " + std::to_string(state.count), 2});
  parts.push_back({bar(state, bar_width), 4});
  parts.push_back({std::to_string(state.done) + "/" + std::to_string(state.total), 0});
  if (state.loss >= 0) parts.push_back({"loss " + number("%.3f", state.loss), 2});
  if (state.success >= 0) parts.push_back({"success " + number("%.0f%%", state.success * 100), 1});
  if (state.rate > 0) {
    parts.push_back({number(state.rate < 10 ? "%.2f" : "%.0f", state.rate) + " steps/s", 3});
    parts.push_back({clock_text(static_cast<double>(state.total - state.done) / state.rate) + " left", 1});
  }
  if (state.count > 1 && state.later >= 0 && state.whole_rate > 0)
    parts.push_back(
        {clock_text(static_cast<double>(state.total - state.done + state.later) / state.whole_rate) +
             " left in all",
         1});
  return parts;
}

}  // namespace

std::string clock_text(double seconds) {
  const auto whole = static_cast<long long>(std::clamp(seconds, 0.0, 359'999'999.0) + 0.5);
  char text[48];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
  return text;
}

std::string progress_line(const ProgressState& state, int width) {
  std::string line;
  for (int rank = 6; rank >= 1; --rank) {
    for (const size_t bar_width : {24, 10}) {
      line.clear();
      for (const Part& part : parts_of(state, bar_width))
        if (part.rank < rank && !part.text.empty()) line += (line.empty() ? "" : "  ") + part.text;
      if (static_cast<int>(line.size()) <= width) return line;
    }
  }
  return line.substr(0, static_cast<size_t>(width));
}

Progress::Progress() : terminal_(isatty(STDERR_FILENO) != 0) {}

double Progress::measured_rate(const ProgressState& state) {
  const auto now = Clock::now();
  if (state.name != name_ || state.done < last_done_) {  // another search may have the name of the last
    done_before_ += last_done_ - first_done_;
    name_ = state.name;
    first_done_ = state.done;
    start_ = now;
    last_shown_ = now - std::chrono::hours(1);
  }
  last_done_ = state.done;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  return seconds > 0 ? static_cast<double>(state.done - first_done_) / seconds : 0;
}

double Progress::measured_whole_rate(const ProgressState& state) const {
  const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  return seconds > 0 ? static_cast<double>(done_before_ + state.done - first_done_) / seconds : 0;
}

void Progress::show(ProgressState state) {
  if (notes_are_silent()) return;
  state.rate = measured_rate(state);
  state.whole_rate = measured_whole_rate(state);
  const auto now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_shown_).count();
  if (since < (terminal_ ? kSecondsBetweenDraws : kSecondsBetweenLines) && state.done != state.total) return;
  last_shown_ = now;
  if (!terminal_) return log_line(progress_line(state, 160));
  std::cerr << "\r\033[K" << progress_line(state, std::max(8, terminal_width() - 1)) << std::flush;
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) std::cerr << "\r\033[K" << std::flush;
  drawn_ = false;
}

}  // namespace hijack::cli
