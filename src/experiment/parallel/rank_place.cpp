#include "src/base/environment.h"
#include "src/base/error.h"
#include "src/experiment/parallel/store_ranks.h"

namespace hijack {
namespace {

constexpr const char* kStart = "start the processes with torchrun --no-python, or with srun";
constexpr int64_t kMostRanks = 100'000;
constexpr int64_t kUsualPort = 29500;  // of c10d, too

int64_t whole_number(const char* name, int64_t low, int64_t high) {
  if (const auto value = environment_number(name, low, high)) return *value;
  throw Error("--distributed needs " + std::string(name) + " in the environment, a number from " +
              std::to_string(low) + " to " + std::to_string(high) + ", but it is '" +
              environment(name).substr(0, 40) + "': " + kStart + ".");
}

int64_t whole_number_or(const char* name, int64_t low, int64_t high, int64_t otherwise) {
  return environment(name).empty() ? otherwise : whole_number(name, low, high);
}

RankPlace place_by(const char* size, const char* rank, const char* local_rank) {
  RankPlace place;
  place.size = whole_number(size, 1, kMostRanks);
  place.rank = whole_number(rank, 0, place.size - 1);
  place.local_rank = whole_number_or(local_rank, 0, kMostRanks, 0);
  return place;
}

}  // namespace

RankPlace rank_place() {
  const bool by_torchrun = !environment("WORLD_SIZE").empty() || !environment("RANK").empty();
  if (!by_torchrun && environment("SLURM_PROCID").empty())
    throw Error(
        "--distributed divides the contexts among processes, but neither torchrun (RANK, WORLD_SIZE) nor "
        "srun (SLURM_PROCID, SLURM_NTASKS) has started this one: " +
        std::string(kStart) + ".");
  RankPlace place = by_torchrun ? place_by("WORLD_SIZE", "RANK", "LOCAL_RANK")
                                : place_by("SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID");
  if (place.size == 1) return place;
  place.address = environment("MASTER_ADDR");
  if (place.address.empty() && !by_torchrun) place.address = environment("SLURM_LAUNCH_NODE_IPADDR");
  if (place.address.empty())
    throw Error("--distributed needs MASTER_ADDR in the environment, the address of the machine of rank 0: " +
                std::string(kStart) + " and export MASTER_ADDR.");
  place.port = static_cast<uint16_t>(by_torchrun ? whole_number("MASTER_PORT", 1, 65535)
                                                 : whole_number_or("MASTER_PORT", 1, 65535, kUsualPort));
  place.store_exists = by_torchrun && environment("TORCHELASTIC_USE_AGENT_STORE") == "True";
  return place;
}

}  // namespace hijack
