// One run folder written by the processes of a group.
#include "src/experiment/run/trial.h"
#include "tests/support/toy_runs.h"

namespace hijack::worker_folder_test {
namespace {

class WorkerFolder : public ToyRuns {
 protected:
  WorkerFolder() {
    config_.seeds = {0, 1};
    config_.random_start = true;
    begin("run");  // rank 0 makes the folder
  }

  std::optional<TrialResult> tried(const TrialPlan& plan, const RunFolder& folder,
                                   const RunHooks& hooks = {}) {
    return run_trial(set_up(plan, model_, defenses_), folder, hooks);
  }

  DefenseMaker defenses_;
};

/// A worker's last checkpoint goes while another has made the folder and not yet written to it.
TEST_F(WorkerFolder, WhoeverFinishesLeavesTheFolderOfCheckpointsToItsFellows) {
  RunFolder first = RunFolder::open_for_worker(root() / "run", 0),
            second = RunFolder::open_for_worker(root() / "run", 1);
  const std::vector<TrialPlan> plans = first.plans();
  const auto done = tried(plans.at(0), first);
  ASSERT_TRUE(done);
  ASSERT_TRUE(std::filesystem::exists(first.checkpoint(plans[0].id)));
  RunHooks hooks;
  hooks.on_step = [&](const TrialProgress& now) {
    if (now.step != 1) return;  // its first checkpoint comes after step 5
    EXPECT_FALSE(std::filesystem::exists(second.checkpoint(plans[1].id)));
    first.add_trial(done->row, done->replies);
  };
  const auto other = tried(plans.at(1), second, hooks);
  ASSERT_TRUE(other);
  EXPECT_FALSE(std::filesystem::exists(first.checkpoint(plans[0].id)));
  EXPECT_TRUE(std::filesystem::exists(second.checkpoint(plans[1].id)));
  second.add_trial(other->row, other->replies);
  const RunRecord run = read_run(root() / "run");
  ASSERT_EQ(run.trials.size(), 2u);
  EXPECT_EQ(run.trials[0].id, plans[0].id);
  EXPECT_EQ(run.replies.size(), done->replies.size() + other->replies.size());
}

TEST_F(WorkerFolder, ThePlainProcessTidiesUpBehindAllOfThem) {
  {
    RunFolder worker = RunFolder::open_for_worker(root() / "run", 0);
    const auto done = tried(worker.plans().at(0), worker);
    worker.add_trial(done->row, done->replies);
    EXPECT_TRUE(std::filesystem::exists(root() / "run/checkpoints"));
  }
  RunFolder alone = RunFolder::open(root() / "run");
  EXPECT_TRUE(go_on(alone));
  EXPECT_EQ(read_run(root() / "run").trials.size(), 2u);
  EXPECT_FALSE(std::filesystem::exists(root() / "run/checkpoints"));
}

}  // namespace
}  // namespace hijack::worker_folder_test
