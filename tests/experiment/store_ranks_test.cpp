// Processes of an attack that meet in a key-value store; here they are threads.
#include "src/experiment/parallel/store_ranks.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <latch>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "src/base/random.h"
#include "src/experiment/parallel/ranked_steps.h"
#include "tests/support/environment.h"
#include "tests/support/expect_says.h"
#include "tests/support/free_port.h"
#include "tests/support/thread_ranks.h"

namespace hijack::store_ranks_test {
namespace {

using namespace std::chrono_literals;
using support::in_threads;
using support::Variable;
using Clock = std::chrono::steady_clock;

class StoreRanksTest : public ::testing::Test {
 protected:
  WorkerPlace place(int64_t rank, int64_t size) const { return {rank, size, "127.0.0.1", port_, false}; }

  void on_each(int64_t size, const std::function<void(StoreRanks&)>& work,
               std::chrono::milliseconds lease = 20s) const {
    in_threads(size, [&](int64_t rank) {
      StoreRanks ranks(place(rank, size), lease);
      work(ranks);
      ranks.leave();
    });
  }

  /// What `work` says is wrong.
  template <class Wrong, class Work>
  static std::string wrong(const Work& work) {
    try {
      work();
    } catch (const Wrong& error) {
      return error.what();
    }
    ADD_FAILURE() << "nothing was wrong";
    return "";
  }

  uint16_t port_ = support::free_port();
};

/// Numbers whose sum in float32 depends on the order.
Tensor numbers_of(int64_t rank, int64_t count) {
  Random random(static_cast<uint64_t>(rank + 1));
  return random.normal_tensor({count}) * std::pow(10.0, static_cast<double>(rank));
}

TEST_F(StoreRanksTest, TheSumIsTheSameOnAllAndAddedUpInTheOrderOfRanks) {
  const std::vector<int64_t> counts = {1, 7, 2'500'000};  // the last goes in several pieces
  std::vector<std::vector<Tensor>> sums(4);
  on_each(4, [&](StoreRanks& ranks) {
    for (const int64_t count : counts)
      sums[static_cast<size_t>(ranks.rank())].push_back(ranks.sum(numbers_of(ranks.rank(), count)));
  });
  for (size_t i = 0; i < counts.size(); ++i) {
    Tensor expected = at::zeros({counts[i]}, at::kDouble);
    for (int64_t rank = 0; rank < 4; ++rank) expected += numbers_of(rank, counts[i]);
    for (const auto& of_rank : sums) EXPECT_TRUE(at::equal(of_rank[i], expected.to(at::kFloat))) << counts[i];
  }
}

TEST_F(StoreRanksTest, KeepsShapeAndTypeAndTakesNothingForSomething) {
  on_each(2, [&](StoreRanks& ranks) {
    const Tensor sum = ranks.sum(at::ones({2, 3}, at::kDouble));
    EXPECT_EQ(sum.sizes(), at::IntArrayRef({2, 3}));
    EXPECT_EQ(sum.scalar_type(), at::kDouble);
    EXPECT_EQ(sum.sum().item<double>(), 12);
    EXPECT_EQ(ranks.sum(at::ones({0})).numel(), 0);
    EXPECT_EQ(ranks.from_first(ranks.first() ? "runs/cat" : "nobody reads this"), "runs/cat");
    EXPECT_EQ(ranks.from_first(""), "");
  });
}

TEST_F(StoreRanksTest, TwoAttacksOneAfterTheOtherOnOneStoreStayApart) {
  c10d::TCPStoreOptions options;  // as torchrun's agent serves one
  options.port = port_;
  options.isServer = true;
  options.waitWorkers = false;
  const c10d::TCPStore agent("127.0.0.1", options);
  for (const double number : {1.0, 5.0})
    in_threads(2, [&](int64_t rank) {
      WorkerPlace here = place(rank, 2);
      here.store_exists = true;
      StoreRanks ranks(here, 20s);
      EXPECT_EQ(ranks.sum(at::full({3}, number)).sum().item<double>(), 6 * number);
    });
}

TEST_F(StoreRanksTest, NumbersThatDoNotFitAreRefusedByName) {
  in_threads(2, [&](int64_t rank) {
    StoreRanks ranks(place(rank, 2), 5s);
    if (rank == 0) {
      const std::string why = wrong<Failure>([&] { ranks.sum(at::ones({3})); });
      EXPECT_SAYS(why, "Rank 1 has sent something else than the 3 numbers");
      EXPECT_SAYS(why, "same program, flags and files");
      ranks.end_early(why);
    } else {
      EXPECT_SAYS(wrong<RankLost>([&] { ranks.sum(at::ones({2}, at::kDouble)); }),
                  "Rank 1 has sent something else");
      ranks.leave();
    }
  });
}

/// A stranger who writes into the store: neither is it believed, nor does it bring the program down.
TEST_F(StoreRanksTest, WhatAStrangerWritesIsNotBelieved) {
  in_threads(2, [&](int64_t rank) {
    StoreRanks ranks(place(rank, 2), 5s);
    c10d::TCPStoreOptions options;
    options.port = port_;
    options.waitWorkers = false;
    if (rank == 0) {
      c10d::TCPStore stranger("127.0.0.1", options);
      int message = 2;  // 0 and 1 were those of the meeting
      for (const size_t size : {size_t{0}, size_t{31}, size_t{36}, size_t{1} << 20}) {
        stranger.set("hijack/ranks/0/1/" + std::to_string(message++) + "/0/1",
                     std::vector<uint8_t>(size, 255));
        EXPECT_SAYS(wrong<Failure>([&] { ranks.sum(at::ones({1})); }), "Rank 1 has sent something else");
      }
      std::string text(100'000, '\n');
      text.replace(0, 5, "\033[2Jx");
      stranger.set("hijack/ranks/0/1/ended", std::vector<uint8_t>(text.begin(), text.end()));
    }
    const std::string said = wrong<RankLost>([&] {
      while (true) ranks.from_first(""), ranks.sum(at::ones({1}));
    });
    EXPECT_LE(said.size(), 2000u);
    EXPECT_EQ(said.find_first_of("\n\033"), std::string::npos);
    ranks.leave();
  });
}

TEST_F(StoreRanksTest, ARankThatIsLostIsMissedInTime) {
  in_threads(3, [&](int64_t rank) {
    StoreRanks ranks(place(rank, 3), 1s);
    ranks.sum(at::ones({1}));
    if (rank == 2) return;  // its heart stops
    const auto begin = Clock::now();
    EXPECT_SAYS(
        wrong<RankLost>([&] {
          try {
            ranks.sum(at::ones({1}));
          } catch (const RankLost& lost) {
            ranks.end_early(lost.what());
            throw;
          }
        }),
        "Rank 2 is lost, it has given no sign of life for 1 s; start all processes again with --resume");
    EXPECT_LT(Clock::now() - begin, 20s);
  });
}

TEST_F(StoreRanksTest, OneThatTakesLongIsNotLost) {
  on_each(
      2,
      [&](StoreRanks& ranks) {
        if (ranks.rank() == 1) std::this_thread::sleep_for(3s);
        EXPECT_EQ(ranks.sum(at::ones({1})).item<double>(), 2);
        if (ranks.rank() == 0) std::this_thread::sleep_for(3s);
        EXPECT_EQ(ranks.from_first(ranks.first() ? "late" : ""), "late");
      },
      2s);
}

TEST_F(StoreRanksTest, WithoutItsStoreARankEndsAtOnce) {
  std::latch met(2);
  in_threads(2, [&](int64_t rank) {
    auto ranks = std::make_unique<StoreRanks>(place(rank, 2), 60s);
    met.arrive_and_wait();  // the other has read what was said at the meeting
    if (rank == 0) return;  // and with it its store
    const auto begin = Clock::now();
    EXPECT_SAYS(wrong<RankLost>([&] { ranks->sum(at::ones({1})), ranks->sum(at::ones({1})); }), "--resume");
    EXPECT_LT(Clock::now() - begin, 20s);
    ranks->end_early("too late");  // does not throw
  });
}

TEST_F(StoreRanksTest, OneThatNeverComesIsNamed) {
  EXPECT_SAYS(wrong<RankLost>([&] { StoreRanks(place(0, 2), 200ms); }), "Rank 1 has not come within 1 s");
  EXPECT_SAYS(wrong<Error>([&] { StoreRanks(place(1, 2), 200ms); }), "cannot be reached");
}

TEST_F(StoreRanksTest, GroupsOfAnotherSizeAreRefused) {
  in_threads(2, [&](int64_t rank) {
    if (rank == 0)
      EXPECT_THROW(StoreRanks(place(0, 2), 300ms), RankLost);
    else
      EXPECT_SAYS(wrong<Error>([&] { StoreRanks(place(1, 3), 300ms); }), "2 ranks, and rank 1 is");
  });
}

TEST_F(StoreRanksTest, AllStopAfterTheSameStepAndAnotherImageIsNoticed) {
  const auto group = std::make_shared<support::ThreadGroup>(3);
  in_threads(3, [&](int64_t rank) {
    std::stop_source own;
    RankedSteps steps(std::make_shared<support::ThreadRanks>(group, rank), own.get_token());
    EXPECT_EQ(steps.writes(), rank == 0);
    AttackState state;
    state.image = at::full({1, 3, 2, 2}, .5);
    steps.agree(state);
    if (rank == 2) own.request_stop();
    EXPECT_FALSE(steps.stop().stop_requested());
    state.step = 1;
    steps.agree(state);
    EXPECT_TRUE(steps.stop().stop_requested()) << rank;
    state.step = 9;
    if (rank == 1) state.image = at::full({1, 3, 2, 2}, .6);
    steps.agree(state);  // not looked at
    state.step = 10;
    EXPECT_SAYS(wrong<Failure>([&] { steps.agree(state); }),
                "Rank 1 has another image than rank 0 after step 10");
    EXPECT_FALSE(on_all_ranks(std::make_unique<support::ThreadRanks>(group, rank).get(), rank != 1));
    EXPECT_TRUE(on_all_ranks(std::make_unique<support::ThreadRanks>(group, rank).get(), true));
  });
  EXPECT_FALSE(on_all_ranks(nullptr, false));
}

class RankPlaceTest : public StoreRanksTest {
 protected:
  Variable clear_[10] = {{"RANK", nullptr},          {"WORLD_SIZE", nullptr},
                         {"LOCAL_RANK", nullptr},    {"MASTER_ADDR", nullptr},
                         {"MASTER_PORT", nullptr},   {"TORCHELASTIC_USE_AGENT_STORE", nullptr},
                         {"SLURM_PROCID", nullptr},  {"SLURM_NTASKS", nullptr},
                         {"SLURM_LOCALID", nullptr}, {"SLURM_LAUNCH_NODE_IPADDR", nullptr}};
};

TEST_F(RankPlaceTest, IsReadFromTorchrun) {
  const Variable set[] = {
      {"RANK", "3"},          {"WORLD_SIZE", "8"},      {"LOCAL_RANK", "1"},
      {"MASTER_ADDR", "a.b"}, {"MASTER_PORT", "29501"}, {"TORCHELASTIC_USE_AGENT_STORE", "True"}};
  const RankPlace place = rank_place();
  EXPECT_EQ(place.rank, 3);
  EXPECT_EQ(place.size, 8);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.address, "a.b");
  EXPECT_EQ(place.port, 29501);
  EXPECT_TRUE(place.store_exists);
}

TEST_F(RankPlaceTest, IsReadFromSrun) {
  const Variable set[] = {{"SLURM_PROCID", "2"},
                          {"SLURM_NTASKS", "4"},
                          {"SLURM_LOCALID", "0"},
                          {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.7"}};
  EXPECT_EQ(rank_place().address, "10.0.0.7");
  EXPECT_EQ(rank_place().rank, 2);
  EXPECT_EQ(rank_place().port, 29500);
  EXPECT_FALSE(rank_place().store_exists);
  const Variable address("MASTER_ADDR", "node1"), port("MASTER_PORT", "1234");
  EXPECT_EQ(rank_place().address, "node1");
  EXPECT_EQ(rank_place().port, 1234);
}

TEST_F(RankPlaceTest, SaysWhatIsMissing) {
  EXPECT_SAYS(wrong<Error>([] { rank_place(); }), "neither torchrun (RANK, WORLD_SIZE) nor srun");
  const Variable size("WORLD_SIZE", "4");
  EXPECT_SAYS(wrong<Error>([] { rank_place(); }), "needs RANK in the environment, a number from 0 to 3");
  const Variable rank("RANK", "4");
  EXPECT_SAYS(wrong<Error>([] { rank_place(); }), "but it is '4'");
  const Variable fits("RANK", "0");
  EXPECT_SAYS(wrong<Error>([] { rank_place(); }), "needs MASTER_ADDR");
  const Variable address("MASTER_ADDR", "127.0.0.1");
  EXPECT_SAYS(wrong<Error>([] { rank_place(); }), "needs MASTER_PORT");
  const Variable alone("WORLD_SIZE", "1");
  EXPECT_EQ(rank_place().size, 1);
}

}  // namespace
}  // namespace hijack::store_ranks_test
