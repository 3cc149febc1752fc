#pragma once
#include <stdexcept>
#include <string>

namespace hijack {

/// What the user gave is wrong: one sentence that says what, where, and what to do. The command line prints it
/// and exits with code 2. Programmers' errors use TORCH_CHECK instead.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The work itself failed (disk full, numbers not finite): exit code 1.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace hijack
