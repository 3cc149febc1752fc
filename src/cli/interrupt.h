#pragma once
#include <atomic>
#include <csignal>
#include <stop_token>
#include <string>
#include <thread>

namespace hijack::cli {

/// While it lives, the first Ctrl-C (or SIGTERM, or SIGHUP when the terminal goes away, unless it is ignored
/// as under nohup) asks the work to stop after its current step; the second ends the program at once. Make it
/// before the first tensor is computed, so that all threads leave the signals to it.
class Interrupt {
 public:
  /// said: on the first signal.
  explicit Interrupt(std::string said = "stopping after the current step; once more stops at once");
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return stop_.get_token(); }

 private:
  void watch(const std::stop_token& done);

  std::string said_;
  sigset_t before_;
  std::stop_source stop_;
  std::jthread watcher_;
};

}  // namespace hijack::cli
