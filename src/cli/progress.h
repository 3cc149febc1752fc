#pragma once
#include <chrono>
#include <string>

namespace hijack::cli {

/// What a line of progress shows. Negative = not known, left out.
struct ProgressState {
  std::string name;
  int64_t done = 0;
  int64_t total = 0;
  double loss = -1;
  double success = -1;  ///< 0..1
  double rate = 0;      ///< steps per second
  int64_t number = 1;   ///< of the trial, among `count`
  int64_t count = 1;
  int64_t later = -1;     ///< steps of the trials that come after this one
  double whole_rate = 0;  ///< steps per second of all trials so far, with what is done between steps
};

/// One line of at most `width` columns: the name, then the bar, then the less important numbers give way.
std::string progress_line(const ProgressState& state, int width);
/// "1:05", "2:00:31".
std::string clock_text(double seconds);

/// Shows progress on stderr: a line that redraws itself on a terminal, a log line every five seconds
/// otherwise.
class Progress {
 public:
  Progress();
  ~Progress() { clear(); }
  void show(ProgressState state);
  /// Takes the line away, before other output.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  double measured_rate(const ProgressState& state);

  double measured_whole_rate(const ProgressState& state) const;

  bool terminal_;
  bool drawn_ = false;
  std::string name_;
  int64_t first_done_ = 0, last_done_ = 0;
  int64_t done_before_ = 0;  ///< steps of earlier trials
  Clock::time_point begin_ = Clock::now();
  Clock::time_point start_;
  Clock::time_point last_shown_;
};

}  // namespace hijack::cli
