#include "src/cli/standard_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include "src/base/error.h"

namespace hijack::cli {

void keep_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(stream, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // takes the lowest free number
}

void finish_standard_output() {
  errno = 0;
  std::cout.flush();
  if (std::cout.good()) return;
  // an earlier line may have failed and left no reason behind
  const std::string why = errno != 0 ? std::string(": ") + std::strerror(errno) : "";
  throw Failure("cannot write to standard output" + why + ".");
}

}  // namespace hijack::cli
