#pragma once
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>

#include "src/base/error.h"

namespace hijack {

/// No more is asked, and nothing failed: what was answered is kept, and the work can go on.
class AskingEnded : public Failure {
 public:
  using Failure::Failure;
};
/// The budget of calls is spent.
class BudgetSpent : public AskingEnded {
 public:
  using AskingEnded::AskingEnded;
};

/// How many requests may be sent, retries included. Each is written down before it is sent, so that a process
/// that is killed and another that goes on share one budget.
class CallBudget {
 public:
  /// limit: 0 = none, calls are counted only. ledger: a file with one line for each call, made on the first;
  /// empty = none. whom: what the lines call the endpoint; others' lines do not count.
  CallBudget(int64_t limit, std::filesystem::path ledger, std::string whom);

  /// To be called before a request is sent. Throws BudgetSpent, and Failure where the ledger cannot be
  /// written.
  void take();

 private:
  const int64_t limit_;
  const std::filesystem::path ledger_;
  const std::string whom_;
  std::mutex mutex_;
  int64_t made_ = 0;
};

}  // namespace hijack
