// Runs that are killed: one process again and again, and one of a group. Every trial is there exactly once.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "src/base/file.h"
#include "src/experiment/record/results.h"
#include "tests/support/child_process.h"
#include "tests/support/program.h"

namespace hijack::killed_run_slow_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using namespace support;

class KilledRun : public Program {
 protected:
  KilledRun() {
    write_file(at("grid.toml"),
               "[attack]\nimage = \"" + kPhoto + "\"\nmodel = \"" + kModel + "\"\ncontexts = \"" +
                   at("contexts.jsonl") +
                   "\"\ntarget = \"abc\"\nmax_new_tokens = 6\nthreads = 1\nsteps = 60\n"
                   "validate_every = 20\ncheckpoint_every = 5\n[[grid]]\nseed = [0, 1, 2, 3, 4, 5]\n");
  }
  ~KilledRun() override {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
  }

  pid_t start(std::vector<std::string> words, const std::vector<std::string>& environment = {}) {
    words.insert(words.begin(), HIJACK_PROGRAM);
    fflush(nullptr);  // or the child prints it again
    const pid_t child = fork();
    if (child == 0) {
      for (const std::string& pair : environment) putenv(strdup(pair.c_str()));
      setenv("OMP_NUM_THREADS", "1", 1);
      if (!freopen(at("log").c_str(), "a", stdout) || !freopen(at("log").c_str(), "a", stderr)) _exit(99);
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      execv(arguments[0], arguments.data());
      _exit(98);
    }
    children_.insert(child);
    return child;
  }

  /// The exit code; -1 when it was killed.
  int wait(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    children_.erase(child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  /// Rows without times, and the bytes of the images.
  std::string essence(const std::string& name) const {
    const RunRecord run = read_run(at(name));
    std::string all;
    for (TrialRow row : run.trials) {
      row.seconds = row.seconds_per_step = 0;
      all += to_json(row).dump() + sha256_file(run.folder / row.image_file) + "\n";
    }
    std::map<std::string, std::string> replies;  // processes of a group write in any order
    for (ReplyRow row : run.replies) {
      row.seconds = 0;
      replies[row.trial] += to_json(row).dump() + "\n";
    }
    for (const auto& [trial, text] : replies) all += text;
    return all;
  }

  static size_t lines(const std::string& file) {
    const std::string text = fs::exists(file) ? read_file(file) : "";
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  std::set<pid_t> children_;
};

TEST_F(KilledRun, AgainAndAgainItEndsWithTheSameRows) {
  ASSERT_EQ(wait(start({"run", at("grid.toml"), "--out", at("whole")})), 0) << read_file(at("log"));
  ASSERT_EQ(read_run(at("whole")).trials.size(), 6u);
  const std::vector<std::string> resume = {"run", "--out", at("killed"), "--resume"};
  pid_t child = start({"run", at("grid.toml"), "--out", at("killed")});
  int kills = 0;
  bool done = false;
  for (; !done && kills < 20; ++kills) {
    const size_t before = lines(at("killed/trials.jsonl"));
    // Killed at another place each time: after a trial, or in the middle of one.
    wait_until(
        [&] { return lines(at("killed/trials.jsonl")) > before || fs::exists(at("killed/checkpoints")); });
    std::this_thread::sleep_for(std::chrono::milliseconds(37 * kills));
    kill(child, SIGKILL);
    done = wait(child) == 0;
    if (done) break;
    if (fs::exists(at("killed/trials.jsonl")) && kills % 2)
      std::ofstream(at("killed/trials.jsonl"), std::ios::app) << R"({"id": "string-li)";
    child = start(fs::exists(at("killed/manifest.json"))
                      ? resume
                      : std::vector<std::string>{"run", at("grid.toml"), "--out", at("killed")});
  }
  if (!done) wait(child);  // nobody kills the last one
  ASSERT_EQ(wait(start(resume)), 0) << read_file(at("log"));
  EXPECT_GT(kills, 1);
  EXPECT_EQ(essence("killed"), essence("whole"));
}

TEST_F(KilledRun, OfThreeProcessesOneDiesAndEveryTrialIsThereOnce) {
  ASSERT_EQ(wait(start({"run", at("grid.toml"), "--out", at("whole")})), 0) << read_file(at("log"));
  const std::string port = std::to_string(20000 + getpid() % 20000);
  std::vector<pid_t> group;
  for (int rank = 0; rank < 3; ++rank)
    group.push_back(start(
        {"run", at("grid.toml"), "--out", at("group"), "--lease", "2"},
        {"RANK=" + std::to_string(rank), "WORLD_SIZE=3", "MASTER_ADDR=127.0.0.1", "MASTER_PORT=" + port}));
  // The last one dies as soon as it works on something.
  wait_until([&] { return fs::exists(at("group/.lock.2")); });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  kill(group[2], SIGKILL);
  wait(group[2]);
  EXPECT_EQ(wait(group[0]), 0) << read_file(at("log"));
  EXPECT_EQ(wait(group[1]), 0) << read_file(at("log"));
  const RunRecord run = read_run(at("group"));
  std::set<std::string> ids;
  for (const TrialRow& row : run.trials) EXPECT_TRUE(ids.insert(row.id).second) << row.id;
  EXPECT_EQ(ids.size(), 6u);
  EXPECT_EQ(essence("group"), essence("whole"));
  EXPECT_GT(lines(at("group/trials.0.jsonl")), 0u);
  EXPECT_GT(lines(at("group/trials.1.jsonl")), 0u);
  EXPECT_TRUE(fs::exists(at("group/report.html")));
}

TEST_F(KilledRun, ASecondProcessOnTheFolderIsRefused) {
  write_file(at("long.toml"), read_file(at("grid.toml")) + "steps = 100000\nstop_at = 2.0\n");
  const pid_t first = start({"run", at("long.toml"), "--out", at("run")});
  wait_until([&] { return fs::exists(at("run/checkpoints")); });
  EXPECT_EQ(wait(start({"run", "--out", at("run"), "--resume"})), 2);
  EXPECT_NE(read_file(at("log")).find("Another process is writing"), std::string::npos)
      << read_file(at("log"));
  kill(first, SIGKILL);
  wait(first);
  EXPECT_EQ(read_run(at("run")).trials.size(), 0u);
}

TEST_F(KilledRun, AStoppedRecipeHasTheTableOfWhatIsDone) {
  write_file(at("recipe.toml"),
             "title = \"t\"\npaper = \"p\"\ndeparts = \"d\"\n[attack]\nimage = \"" + kPhoto +
                 "\"\ncontexts = \"" + at("contexts.jsonl") +
                 "\"\ntarget = \"abc\"\nmax_new_tokens = 6\n[[grid]]\nsteps = [1, 100000]\nstop_at = 2.0\n");
  const pid_t run = start({"reproduce", at("recipe.toml"), "--threads", "1", "--out", at("run")});
  wait_until([&] { return fs::exists(at("run/trials.jsonl")) && lines(at("run/trials.jsonl")) > 0; });
  kill(run, SIGINT);
  EXPECT_EQ(wait(run), 1);
  EXPECT_NE(read_file(at("log")).find("(1 of 2 trials: " + at("run/table.md") + ")"), std::string::npos)
      << read_file(at("log"));
  EXPECT_NE(read_file(at("run/table.md")).find("| setting |"), std::string::npos)
      << read_file(at("run/table.md"));
}

TEST_F(KilledRun, AGroupWithoutAddressIsRefused) {
  EXPECT_EQ(
      wait(start({"run", at("grid.toml"), "--out", at("run")}, {"WORLD_SIZE=3", "RANK=7", "MASTER_PORT=1"})),
      2);
  EXPECT_NE(read_file(at("log")).find("RANK is '7'"), std::string::npos) << read_file(at("log"));
  EXPECT_FALSE(fs::exists(at("run")));
}

}  // namespace
}  // namespace hijack::killed_run_slow_test
