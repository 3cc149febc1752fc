#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "src/experiment/parallel/store_ranks.h"

namespace hijack::cli {

/// --distributed and --lease: one attack made by several processes.
class RanksOption {
 public:
  void add_to(CLI::App& command);
  /// The processes that torchrun or srun has started, met; nullptr without the flag (a note tells of
  /// processes that are there), and for a group of one. Throws Error and RankLost as StoreRanks does.
  std::shared_ptr<StoreRanks> meet();
  bool wanted() const { return wanted_; }
  /// "cuda" as this process is to have it: with a GPU of its own where it sees several. Others stay.
  std::string own_device(const std::string& device) const;

 private:
  bool wanted_ = false;
  double lease_ = 60;
  RankPlace place_;
};

/// Does the work of this rank; when it throws, the others are told before they are left.
int in_company(StoreRanks& ranks, const std::function<int()>& work);

}  // namespace hijack::cli
