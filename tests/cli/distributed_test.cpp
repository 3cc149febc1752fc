// hijack attack --distributed: one image made by several processes, as torchrun or srun starts them.
#include <gtest/gtest.h>

#include "src/base/image.h"
#include "src/cli/ranks_option.h"
#include "src/experiment/record/results.h"
#include "tests/support/child_process.h"
#include "tests/support/environment.h"
#include "tests/support/free_port.h"
#include "tests/support/program.h"

namespace hijack::distributed_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

constexpr double kLevels = 1;  // of 255: a value between two may be rounded either way (measured: 0)

class Distributed : public Program {
 protected:
  Distributed() {
    std::string lines;
    for (const auto& [split, count] : {std::pair("train", 9), {"validation", 5}, {"test", 3}})
      for (int i = 0; i < count; ++i)
        lines +=
            json({{"prompt", "question " + std::string(i + 1, 'a') + split}, {"split", split}}).dump() + "\n";
    write_file(at("contexts.jsonl"), lines);
  }

  /// A small attack; `more` goes before what it has by itself.
  std::vector<std::string> words(const std::string& out, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"attack", "--image", kPhoto, "--out", at(out)};
    for (const auto& [flag, value] :
         std::vector<std::pair<std::string, std::string>>{{"--contexts", at("contexts.jsonl")},
                                                          {"--threads", "1"},
                                                          {"--target", "abc"},
                                                          {"--max-new-tokens", "6"},
                                                          {"--optimizer", "adam"},
                                                          {"--batch", "6"},
                                                          {"--steps", "12"},
                                                          {"--validate-every", "4"},
                                                          {"--checkpoint-every", "5"}})
      if (std::find(more.begin(), more.end(), flag) == more.end()) all.insert(all.end(), {flag, value});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  std::unique_ptr<ChildProcess> start(const std::vector<std::string>& command,
                                      const std::vector<std::string>& environment,
                                      const std::string& log) const {
    std::vector<std::string> all = environment;
    all.push_back("HIJACK_MODEL=" + kModel);
    return std::make_unique<ChildProcess>(command, at(log + ".out"), at(log + ".err"), all);
  }

  /// As torchrun starts them; what they say is in log0.err, log1.err, ...
  std::vector<std::unique_ptr<ChildProcess>> group(int64_t size, std::vector<std::string> command) const {
    command.emplace_back("--distributed");
    const std::string port = std::to_string(free_port());
    std::vector<std::unique_ptr<ChildProcess>> all;
    for (int64_t rank = 0; rank < size; ++rank)
      all.push_back(
          start(command,
                {"RANK=" + std::to_string(rank), "LOCAL_RANK=" + std::to_string(rank),
                 "WORLD_SIZE=" + std::to_string(size), "MASTER_ADDR=127.0.0.1", "MASTER_PORT=" + port},
                "log" + std::to_string(rank)));
    return all;
  }

  std::string said(int64_t rank) const {
    const std::string log = at("log" + std::to_string(rank));
    return read_file(log + ".out") + read_file(log + ".err");
  }

  void expect_done(int64_t size, const std::vector<std::string>& command) const {
    const auto all = group(size, command);
    for (int64_t rank = 0; rank < size; ++rank)
      EXPECT_EQ(all[static_cast<size_t>(rank)]->wait(), 0) << said(rank);
    for (int64_t rank = 1; rank < size; ++rank) EXPECT_EQ(said(rank), "") << "the others are quiet";
  }

  void expect_alone(const std::string& out, const std::vector<std::string>& more = {}) const {
    EXPECT_EQ(start(words(out, more), {}, "alone")->wait(), 0) << read_file(at("alone.err"));
  }

  std::set<std::string> files(const std::string& name) const {
    std::set<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(at(name)))
      all.insert(entry.path().lexically_relative(at(name)).string());
    return all;
  }

  /// The same run but for times and the order of summation: numbers within 1e-4 of their size
  /// (measured: 3e-7).
  static void expect_close(const json& a, const json& b, const std::string& where) {
    if (where.find("seconds") != std::string::npos || where == "/files") return;
    if (a.is_number_float()) {
      EXPECT_NEAR(a.get<double>(), b.get<double>(), 1e-4 * std::max(1.0, std::abs(b.get<double>()))) << where;
    } else if (a.is_structured() && a.size() == b.size()) {
      for (const auto& [key, value] : a.items())
        expect_close(value, a.is_array() ? b.at(std::stoul(key)) : b.at(key), where + "/" + key);
    } else {
      EXPECT_EQ(a, b) << where;
    }
  }

  /// Losses alone where the images are not the same, which decide what is asked and replied.
  void expect_same_run(const std::string& name, const std::string& other) const {
    const RunRecord one = read_run(at(name)), two = read_run(at(other));
    ASSERT_EQ(one.trials.size(), two.trials.size());
    bool same = true;
    for (size_t i = 0; i < one.trials.size(); ++i) {
      const Tensor image = load_image(one.folder / one.trials[i].image_file),
                   twin = load_image(two.folder / two.trials[i].image_file);
      EXPECT_LE((255 * (image - twin)).abs().max().item<double>(), kLevels);
      expect_close(one.trials[i].losses, two.trials[i].losses, "losses");
      same = same && at::equal(image, twin);
    }
    EXPECT_EQ(files(name), files(other));
    ASSERT_EQ(one.replies.size(), two.replies.size());
    for (size_t i = 0; same && i < one.trials.size(); ++i)
      expect_close(to_json(one.trials[i]), to_json(two.trials[i]), "");
    for (size_t i = 0; same && i < one.replies.size(); ++i)
      expect_close(to_json(one.replies[i]), to_json(two.replies[i]), "");
  }

  /// Rows without times, and the bytes of the images.
  std::string essence(const std::string& name) const {
    std::string all;
    for (TrialRow row : read_run(at(name)).trials) {
      row.seconds = row.seconds_per_step = 0;
      all += to_json(row).dump() + read_file(fs::path(at(name)) / row.image_file);
    }
    return all;
  }
};

TEST_F(Distributed, TwoAndFourProcessesMakeTheImageOfOne) {
  expect_alone("one");
  expect_done(2, words("two"));
  expect_same_run("two", "one");
  expect_done(4, words("four"));
  expect_same_run("four", "one");
  expect_done(4, words("again"));
  EXPECT_EQ(essence("again"), essence("four"));
}

TEST_F(Distributed, SoTheyDoForSeveralPhotosModelsAndTrials) {
  const std::vector<std::string> more = {"--image",
                                         kRoot + "/samples/images/coffee.png",
                                         "--universal",
                                         "--ensemble",
                                         kRoot + "/tests/golden/llava/siglip",
                                         "--seed",
                                         "0",
                                         "1",
                                         "--augment",
                                         "crop=0.8",
                                         "--constraint",
                                         "border"};
  expect_alone("one", more);
  expect_done(3, words("three", more));
  expect_same_run("three", "one");
}

TEST_F(Distributed, AKilledProcessEndsTheOthersAndTheRunGoesOn) {
  const std::vector<std::string> more = {"--steps", "400", "--stop-at", "2", "--lease", "2"};
  expect_done(2, words("whole", more));
  for (const size_t killed : {size_t{1}, size_t{0}}) {
    const std::string name = "killed" + std::to_string(killed);
    {
      const auto all = group(2, words(name, more));
      ASSERT_TRUE(wait_until([&] {
        const fs::path checkpoints = at(name) + "/checkpoints";
        return fs::exists(checkpoints) && !fs::is_empty(checkpoints);
      })) << said(0);
      all[killed]->signal(SIGKILL);
      EXPECT_EQ(all[killed]->wait(), 128 + SIGKILL);
      EXPECT_EQ(all[1 - killed]->wait(), 1) << said(static_cast<int64_t>(1 - killed));
    }
    const std::string told = said(static_cast<int64_t>(1 - killed));
    EXPECT_NE(told.find(killed == 1 ? "Rank 1 is lost" : "The store of the processes is gone"),
              std::string::npos)
        << told;
    EXPECT_NE(told.find("--resume"), std::string::npos) << told;
    EXPECT_TRUE(read_run(at(name)).trials.empty());
    expect_done(2, {"attack", "--resume", "--out", at(name)});
    EXPECT_EQ(essence(name), essence("whole"));
  }
}

TEST_F(Distributed, ASignalToOneStopsAllAfterTheSameStep) {
  const std::vector<std::string> more = {"--steps", "400", "--stop-at", "2"};
  const auto all = group(3, words("run", more));
  ASSERT_TRUE(wait_until([&] {
    const fs::path checkpoints = at("run/checkpoints");
    return fs::exists(checkpoints) && !fs::is_empty(checkpoints);
  })) << said(0);
  all[2]->signal(SIGINT);
  for (const auto& one : all) EXPECT_EQ(one->wait(), 1);
  EXPECT_NE(said(0).find("Go on with:"), std::string::npos) << said(0);
  for (const char* const other : {"alone", "two"})
    fs::copy(at("run"), at(other), fs::copy_options::recursive);
  expect_done(3, {"attack", "--resume", "--out", at("run")});
  expect_done(3, words("whole", more));
  EXPECT_EQ(essence("run"), essence("whole"));
  // another number of processes may go on
  EXPECT_EQ(start({"attack", "--resume", "--out", at("alone")}, {}, "log")->wait(), 0)
      << read_file(at("log.err"));
  expect_done(2, {"attack", "--resume", "--out", at("two")});
  const std::vector<double> whole = read_run(at("whole")).trials.at(0).losses;
  for (const char* const other : {"alone", "two"}) {
    const std::vector<double> losses = read_run(at(other)).trials.at(0).losses;
    ASSERT_EQ(losses.size(), whole.size());
    for (size_t i = 0; i < 5; ++i) EXPECT_EQ(losses[i], whole[i]) << "of the steps before the stop";
    EXPECT_NEAR(losses.back(), whole.back(), .05 * whole.back());
  }
}

TEST_F(Distributed, AMistakeIsSaidByRankZeroAndEndsAll) {
  const auto all = group(2, words("run", {"--behavior", "strnig"}));
  EXPECT_EQ(all[0]->wait(), 2);
  EXPECT_EQ(all[1]->wait(), 1);
  EXPECT_NE(said(0).find("strnig"), std::string::npos) << said(0);
  EXPECT_NE(said(1).find("Rank 0 has ended early: "), std::string::npos) << said(1);
  EXPECT_FALSE(fs::exists(at("run")));
}

TEST_F(Distributed, WhatCannotBeDividedIsRefusedByName) {
  const Variable rank("RANK", "0"), size("WORLD_SIZE", "1");
  for (const auto& [flags, name] : std::vector<std::pair<std::string, std::string>>{
           {"--method gcg", "method gcg"},
           {"--method typographic", "method typographic"},
           {"--cropa-radius 1", "--cropa-radius"},
           {"--templates shipped", "--templates"},
           {"--hardest-of 2 --batch 1", "--hardest-of"},
           {"--objective features --feature-text dog", "objective features"},
           {"--victim http://127.0.0.1:9/v1#m --queries 2", "--victim"}})
    expect_refused(attack("--distributed --steps 2 --out " + at("run") + " " + flags),
                   "--distributed does not go with " + name);
  EXPECT_FALSE(fs::exists(at("run")));
  EXPECT_EQ(run(attack("--distributed --steps 2 --out " + at("run"))).code, 0)
      << "a group of one is no group";
}

TEST_F(Distributed, WithoutAStarterOrAnAddressItIsRefused) {
  const Variable none("RANK", nullptr), nobody("WORLD_SIZE", nullptr), slurm("SLURM_PROCID", nullptr),
      address("MASTER_ADDR", nullptr);
  expect_refused(attack("--distributed --out " + at("run")), "neither torchrun");
  const Variable rank("RANK", "0"), size("WORLD_SIZE", "2");
  expect_refused(attack("--distributed --out " + at("run")), "needs MASTER_ADDR");
  const Outcome ignored = run(attack("--steps 2 --out " + at("run")));
  EXPECT_EQ(ignored.code, 0) << ignored.err;
  EXPECT_NE(ignored.err.find("WORLD_SIZE is 2, but this attack is made by one process"), std::string::npos)
      << ignored.err;
}

TEST_F(Distributed, EachProcessOfAMachineHasAGpuOfItsOwn) {
  CLI::App command;
  cli::RanksOption option;
  option.add_to(command);
  const Variable rank("RANK", "0"), size("WORLD_SIZE", "1"), local("LOCAL_RANK", "3");
  command.parse("--distributed");
  EXPECT_EQ(option.meet(), nullptr);
  const Variable all("CUDA_VISIBLE_DEVICES", nullptr);
  EXPECT_EQ(option.own_device("cuda"), "cuda:3");
  EXPECT_EQ(option.own_device("cuda:1"), "cuda:1");
  EXPECT_EQ(option.own_device("cpu"), "cpu");
  const Variable one("CUDA_VISIBLE_DEVICES", "5");
  EXPECT_EQ(option.own_device("cuda"), "cuda");
  const Variable several("CUDA_VISIBLE_DEVICES", "4,5,6,7");
  EXPECT_EQ(option.own_device("cuda"), "cuda:3");
}

TEST_F(Distributed, SrunStartsThem) {
  expect_alone("one");
  const std::string port = std::to_string(free_port());
  std::vector<std::string> command = words("two");
  command.emplace_back("--distributed");
  std::vector<std::unique_ptr<ChildProcess>> all;
  for (const char* const rank : {"0", "1"})
    all.push_back(start(command,
                        {std::string("SLURM_PROCID=") + rank, "SLURM_NTASKS=2",
                         "SLURM_LAUNCH_NODE_IPADDR=127.0.0.1", "MASTER_PORT=" + port},
                        "log" + std::string(rank)));
  for (const auto& one : all) EXPECT_EQ(one->wait(), 0) << said(0);
  expect_same_run("two", "one");
}

TEST_F(Distributed, TorchrunStartsThem) {
  const std::string torchrun = kRoot + "/.venv/bin/torchrun";
  if (!fs::exists(torchrun)) GTEST_SKIP() << "there is no torchrun in .venv";
  expect_alone("one");
  std::string command = "HIJACK_MODEL='" + kModel + "' " + torchrun +
                        " --no-python --nproc-per-node 2 --master-port " + std::to_string(free_port()) +
                        " " HIJACK_PROGRAM;
  for (const std::string& word : words("two")) command += " '" + word + "'";
  ASSERT_EQ(std::system((command + " --distributed >" + at("torchrun.log") + " 2>&1").c_str()), 0)
      << read_file(at("torchrun.log"));
  expect_same_run("two", "one");
}

}  // namespace
}  // namespace hijack::distributed_test
