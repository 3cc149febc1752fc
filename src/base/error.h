#pragma once
#include <stdexcept>
#include <string>

namespace hijack {

/// What the user gave is wrong: one sentence that says what, where, and what to do. The command line prints
/// it and exits with code 2. Programmers' errors use TORCH_CHECK instead.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The work itself failed (disk full, numbers not finite): exit code 1.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A computation came to numbers that are NaN or infinite. what() says which and where, without a period
/// ("the loss is not finite at step 3"); who knows the model looks for the cause (models/not_finite.h).
class NotFinite : public Failure {
 public:
  using Failure::Failure;
};

}  // namespace hijack
