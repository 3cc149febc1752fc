#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace hijack {

/// Where a process stands in a group, as torchrun and srun scripts say it.
struct WorkerPlace {
  int64_t rank = 0;
  int64_t size = 1;
  std::string address;        ///< of rank 0
  uint16_t port = 0;          ///< of the store
  bool store_exists = false;  ///< torchrun's agent serves it; otherwise rank 0 does
};

/// From RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT (and TORCHELASTIC_USE_AGENT_STORE). nullopt without
/// WORLD_SIZE, or for a group of one. Throws Error for values that make no sense.
std::optional<WorkerPlace> worker_place();

/// Processes that share the trials of a run through libtorch's key-value store: an atomic counter hands them
/// out; a worker keeps up a heartbeat while it works, and a trial whose heart stands still for the lease is
/// taken over. A trial may be finished twice (a worker that was slow, not dead): read_run counts the first.
class WorkerGroup {
 public:
  /// name: keeps runs on one store apart. Throws Error when the store cannot be reached within a minute.
  WorkerGroup(const WorkerPlace& place, const std::string& name,
              std::chrono::milliseconds lease = std::chrono::seconds(60));
  ~WorkerGroup();

  /// A trial to do, in [0, count); nullopt when all are done, or when stopped. Waits while the last ones are
  /// in other hands. Throws Failure when the store is gone.
  std::optional<size_t> next(size_t count, std::stop_token stop);
  /// The trial that next() gave is done and its row is written.
  void done(size_t trial);

  /// Rank 0 says that the folder is ready (or that there will be none); the others wait for it. Throws
  /// Failure when rank 0 has failed or says nothing for an hour.
  void announce(bool ready);
  void wait_for_announcement();
  /// Rank 0 serves the store until all others have left, or for one lease more.
  void leave();

 private:
  class Store;
  std::unique_ptr<Store> store_;
};

}  // namespace hijack
