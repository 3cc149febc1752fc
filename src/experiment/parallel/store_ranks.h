#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "attacks/ranks.h"
#include "src/experiment/parallel/worker_group.h"

namespace hijack {

/// A process's place in the group of an attack (WorkerPlace), as the starter says it, and which GPU of its
/// machine is meant for it.
struct RankPlace : WorkerPlace {
  int64_t local_rank = 0;  ///< of the processes of this machine
};

/// From what torchrun sets (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, LOCAL_RANK), else from what srun does
/// (SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID; MASTER_ADDR or SLURM_LAUNCH_NODE_IPADDR; MASTER_PORT, by
/// default 29500). Throws Error where neither has started the process, or a value makes no sense.
RankPlace rank_place();

/// Ranks that meet in libtorch's key-value store (c10d::TCPStore), which rank 0 serves, or torchrun's agent.
/// Rank 0 adds up and the others fetch the sum: two hops, and 2 * size * bytes through rank 0 for each sum.
/// A rank that is killed is missed when it has given no sign of life for `lease`, one that waited too long
/// for another to come after five of them; where the store itself goes, at once. What comes from the store is
/// taken for what it should be only where its size and head say so.
class StoreRanks : public Ranks {
 public:
  /// Meets the others. Throws Error when the store cannot be opened or reached, or when another rank has
  /// another version or size of the group; RankLost when one does not come.
  StoreRanks(const WorkerPlace& place, std::chrono::milliseconds lease);
  ~StoreRanks() override;

  int64_t rank() const override;
  int64_t size() const override;
  Tensor sum(const Tensor& own) override;
  std::string from_first(const std::string& text) override;

  /// Tells the others that this rank ends before its time, and why; they end in one of their next waits.
  void end_early(const std::string& why) noexcept;
  /// Rank 0 serves the store until all have left, or for a lease more.
  void leave() noexcept;

 private:
  class Store;
  std::unique_ptr<Store> store_;
};

}  // namespace hijack
