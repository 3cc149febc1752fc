#include "src/cli/ranks_option.h"

#include "src/base/environment.h"
#include "src/base/error.h"
#include "src/cli/help.h"
#include "src/cli/log.h"

namespace hijack::cli {

void RanksOption::add_to(CLI::App& command) {
  command.add_flag("--distributed", wanted_, "divide contexts among processes of torchrun or srun")
      ->group("Run");
  command
      .add_option(
          "--lease", lease_,
          "distributed: seconds without sign of life after which a process counts as lost, and the others "
          "end with everything saved")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str()
      ->type_name("SECONDS")
      ->group(rare_group("Run"));
}

std::shared_ptr<StoreRanks> RanksOption::meet() {
  if (!wanted_) {
    const std::string processes = environment("WORLD_SIZE");
    if (!processes.empty() && processes != "1")
      log_line("WORLD_SIZE is " + processes.substr(0, 20) +
               ", but this attack is made by one process; --distributed divides its contexts among all.");
    return nullptr;
  }
  place_ = rank_place();
  if (place_.size == 1) return nullptr;
  return std::make_shared<StoreRanks>(place_, std::chrono::milliseconds(std::llround(lease_ * 1000)));
}

std::string RanksOption::own_device(const std::string& device) const {
  const std::string seen = environment("CUDA_VISIBLE_DEVICES");
  const bool one = !seen.empty() && seen.find(',') == std::string::npos;  // srun has given each its own
  return device == "cuda" && !one ? "cuda:" + std::to_string(place_.local_rank) : device;
}

int in_company(StoreRanks& ranks, const std::function<int()>& work) {
  try {
    const int code = work();
    ranks.leave();
    return code;
  } catch (const RankLost& lost) {
    ranks.end_early(lost.what());
    throw;
  } catch (const std::exception& error) {
    const std::string why = error.what();
    ranks.end_early("Rank " + std::to_string(ranks.rank()) +
                    " has ended early: " + why.substr(0, why.find('\n')));
    throw;
  }
}

}  // namespace hijack::cli
