#include "src/cli/interrupt.h"

#include <unistd.h>

#include "src/cli/log.h"

namespace hijack::cli {
namespace {

sigset_t watched_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  struct sigaction hangup {};
  // nohup: whoever ignores the end of the terminal wants the work to go on (and blocking would undo that)
  if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

Interrupt::Interrupt(std::string said) : said_(std::move(said)) {
  const sigset_t signals = watched_signals();
  pthread_sigmask(SIG_BLOCK, &signals, &before_);
  watcher_ = std::jthread([this](const std::stop_token& done) { watch(done); });
}

Interrupt::~Interrupt() {
  watcher_.request_stop();
  watcher_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void Interrupt::watch(const std::stop_token& done) {
  const sigset_t signals = watched_signals();
  const timespec pause{0, 100'000'000};
  while (!done.stop_requested()) {
    const int signal = sigtimedwait(&signals, nullptr, &pause);
    if (signal < 0) continue;
    if (stop_.stop_requested()) _exit(128 + signal);
    stop_.request_stop();
    log_line(said_);
  }
}

}  // namespace hijack::cli
