#pragma once
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace hijack::support {

/// The program as a child with its output in files; killed where the test forgets it.
class ChildProcess {
 public:
  /// environment: "NAME=value".
  ChildProcess(std::vector<std::string> words, const std::string& out, const std::string& err,
               const std::vector<std::string>& environment = {}) {
    words.insert(words.begin(), HIJACK_PROGRAM);
    fflush(nullptr);  // or the child prints it again
    child_ = fork();
    if (child_ != 0) return;
    for (const std::string& pair : environment) putenv(strdup(pair.c_str()));
    setenv("OMP_NUM_THREADS", "1", 1);
    if (!freopen(out.c_str(), "w", stdout) || !freopen(err.c_str(), "w", stderr)) _exit(99);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    _exit(98);
  }
  ~ChildProcess() {
    if (child_ > 0) signal(SIGKILL), wait();
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void signal(int number) const { kill(child_, number); }
  /// The exit code; 128 and the number of the signal that ended it.
  int wait() {
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t child_ = 0;
};

/// Waits until `condition` holds; false after two minutes.
template <class Condition>
bool wait_until(const Condition& condition) {
  for (int i = 0; i < 2400; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

}  // namespace hijack::support
