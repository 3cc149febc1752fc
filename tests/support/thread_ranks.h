#pragma once
#include <ATen/ATen.h>

#include <barrier>
#include <functional>
#include <thread>
#include <vector>

#include "attacks/ranks.h"

namespace hijack::support {

/// What the threads of one process share to be ranks.
struct ThreadGroup {
  explicit ThreadGroup(int64_t count) : said(static_cast<size_t>(count)), meeting(count) {}
  std::vector<Tensor> said;
  std::string text = {};
  std::barrier<> meeting;
};

class ThreadRanks : public Ranks {
 public:
  ThreadRanks(std::shared_ptr<ThreadGroup> group, int64_t rank) : group_(std::move(group)), rank_(rank) {}
  int64_t rank() const override { return rank_; }
  int64_t size() const override { return static_cast<int64_t>(group_->said.size()); }
  Tensor sum(const Tensor& own) override {
    group_->said[static_cast<size_t>(rank_)] = own;
    group_->meeting.arrive_and_wait();
    Tensor total = at::zeros(own.sizes(), at::kDouble);
    for (const Tensor& one : group_->said) total += one;
    group_->meeting.arrive_and_wait();
    return total.to(own.scalar_type());
  }
  std::string from_first(const std::string& text) override {
    if (rank_ == 0) group_->text = text;
    group_->meeting.arrive_and_wait();
    std::string said = group_->text;
    group_->meeting.arrive_and_wait();
    return said;
  }

 private:
  std::shared_ptr<ThreadGroup> group_;
  int64_t rank_;
};

/// work(rank) in a thread for each rank; back when all are done.
inline void in_threads(int64_t count, const std::function<void(int64_t)>& work) {
  std::vector<std::jthread> threads;
  for (int64_t rank = 0; rank < count; ++rank) threads.emplace_back([&work, rank] { work(rank); });
}

}  // namespace hijack::support
