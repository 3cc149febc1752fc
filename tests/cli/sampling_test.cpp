// Replies that are drawn (--temperature), through the command line.
#include <nlohmann/json.hpp>

#include "src/experiment/record/results.h"
#include "src/experiment/report/aggregate/defenses.h"
#include "src/experiment/report/sanity/sanity.h"
#include "tests/support/program.h"

namespace hijack::sampling_test {
namespace {

using namespace support;
using nlohmann::json;

class Sampling : public Program {
 protected:
  RunRecord attacked(const std::string& name, const std::string& more) {
    const Outcome outcome = run(attack("--steps 1 " + more + " --out " + at(name)));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    said_ = outcome.out;
    return read_run(at(name));
  }
  Outcome evaluate(const std::string& name, const std::string& more) {
    return run("evaluate " + at(name) + " --threads 1 --suffix-steps 0 --defense bit_depth:bits=4 " + more);
  }

  std::string said_;
};

std::vector<std::string> texts(const RunRecord& run) {
  std::vector<std::string> all;
  for (const ReplyRow& row : run.replies) all.push_back(row.condition + row.split + row.reply);
  return all;
}

TEST_F(Sampling, SuccessIsARateOverDraws) {
  const RunRecord drawn = attacked("drawn", "--temperature 1.5 --top-p 0.95 --samples 3");
  EXPECT_NE(said_.find("on 2 held-out contexts, 3 replies drawn to each (temperature=1.5,top_p=0.95)"),
            std::string::npos)
      << said_;
  const TrialRow& trial = drawn.trials.at(0);
  EXPECT_EQ(trial.sampling, "temperature=1.5,top_p=0.95");
  EXPECT_EQ(trial.setting.at("samples"), 3);
  EXPECT_EQ(trial.success.at("test").n, 6);
  EXPECT_EQ(trial.success.at("test").draws, 3);
  EXPECT_EQ(trial.controls.at("clean").n, 6);
  EXPECT_EQ(trial.success.at("train").n, 2) << "draws are of what is reported";
  std::map<std::string, std::set<std::string>> replies, questions;
  for (const ReplyRow& row : drawn.replies)
    if (row.split == "test" && row.condition == "attack") {
      replies[row.context.prompt].insert(row.reply);
      questions[row.context.prompt].insert(row.question);
    }
  ASSERT_EQ(replies.size(), 2u);
  for (const auto& [prompt, all] : replies) EXPECT_GT(all.size(), 1u) << prompt;
  for (const auto& [prompt, all] : questions) EXPECT_EQ(all.size(), 3u) << prompt;

  EXPECT_EQ(texts(attacked("again", "--temperature 1.5 --top-p 0.95 --samples 3")), texts(drawn));
  EXPECT_NE(texts(attacked("other", "--temperature 1.5 --top-p 0.95 --samples 3 --seed 1")), texts(drawn));
  // a draw does not depend on how many there are
  const RunRecord fewer = attacked("fewer", "--temperature 1.5 --top-p 0.95");
  std::vector<std::string> first;
  for (const ReplyRow& row : drawn.replies)
    if (row.draw == 0) first.push_back(row.condition + row.split + row.reply);
  EXPECT_EQ(texts(fewer), first);
}

TEST_F(Sampling, GreedyIsWhatItWas) {
  const RunRecord greedy = attacked("greedy", "");
  EXPECT_EQ(greedy.trials.at(0).sampling, "");
  EXPECT_FALSE(greedy.trials[0].setting.contains("temperature"));
  EXPECT_EQ(attacked("zero", "--temperature 0").trials.at(0).setting_digest, greedy.trials[0].setting_digest);
  // only the likeliest token is left
  EXPECT_EQ(texts(attacked("one", "--temperature 1 --top-k 1")), texts(greedy));
  EXPECT_NE(texts(attacked("all", "--temperature 3")), texts(greedy));
}

TEST_F(Sampling, EvaluateDrawsFromAGreedyRun) {
  attacked("run", "");
  ASSERT_EQ(evaluate("run", "--utility 4").code, 0);
  const size_t greedy = read_run(at("run")).replies.size();
  const Outcome outcome = evaluate("run", "--utility 4 --temperature 1.5 --samples 2");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const RunRecord both = read_run(at("run"));
  std::map<std::string, int> drawn;
  for (const ReplyRow& row : both.replies)
    if (!row.sampling.empty()) ++drawn[row.defense + " " + row.condition];
  EXPECT_EQ(drawn.at("none attack"), 4);
  EXPECT_EQ(drawn.at("bit_depth:bits=4 attack"), 4);
  EXPECT_EQ(drawn.at("bit_depth:bits=4 benign"), 8);
  ASSERT_EQ(evaluate("run", "--utility 4 --temperature 1.5 --samples 2").code, 0);
  EXPECT_EQ(read_run(at("run")).replies.size(), both.replies.size()) << "asked once";
  EXPECT_GT(both.replies.size(), greedy);

  const auto table = report::defenses({both});
  std::map<std::string, int64_t> replies;  // by attack, behind the defense
  for (const report::DefenseSummary& one : table)
    if (one.defense != "none") replies[one.attack_label] = one.attack.n;
  ASSERT_EQ(replies.size(), 2u) << "greedy and drawn replies are not pooled";
  EXPECT_EQ(replies.begin()->second, 2);
  EXPECT_NE(replies.rbegin()->first.find("temperature=1.5"), std::string::npos) << replies.rbegin()->first;
  EXPECT_EQ(replies.rbegin()->second, 4);
  for (const Flag& flag : sanity_flags({both})) EXPECT_NE(flag.name, "row does not match its replies");
}

TEST_F(Sampling, WhatMakesNoSenseIsRefused) {
  const auto refused = [&](const std::string& more, const std::string& says) {
    expect_refused(attack(more + " --out " + at("none")), says);
  };
  refused("--samples 5", "--samples has no effect on greedy replies");
  refused("--top-p 0.9", "--top-p has no effect on greedy replies");
  refused("--top-k 5", "--top-k has no effect on greedy replies");
  refused("--temperature 11", "--temperature must be from 0 (greedy) to 10");
  refused("--temperature 1 --top-p 0", "--top-p must be above 0");
  refused("--temperature 1 --samples 0", "--samples must be from 1 to 1000");
  refused("--num-beams 4", "--num-beams 4: beam search is not supported");
  expect_refused("attack --image " + kPhoto + " --behavior untargeted --temperature 1 --out " + at("none"),
                 "behavior untargeted asks whether the reply is another one");
  attacked("run", "");
  expect_refused("evaluate " + at("run") + " --defense bit_depth --samples 4", "no effect on greedy replies");
  expect_refused("evaluate " + at("run") + " --defense bit_depth --temperature -2", "-1 for that of the run");
}

TEST_F(Sampling, InspectNamesWhatAFolderAsksFor) {
  const std::string folder = copy_of("llava/clip_gqa", "model");
  EXPECT_EQ(run("models inspect " + folder).out.find("do_sample"), std::string::npos);
  json generation = json::parse(read_file(folder + "/generation_config.json"));
  generation.update({{"do_sample", true}, {"temperature", 0.7}, {"top_p", 0.8}, {"top_k", 20}});
  write_file(folder + "/generation_config.json", generation.dump());
  EXPECT_NE(run("models inspect " + folder).out.find("do_sample true, temperature 0.7, top_p 0.8, top_k 20"),
            std::string::npos);
  generation["num_beams"] = 4;
  write_file(folder + "/generation_config.json", generation.dump());
  expect_refused("chat --image " + kPhoto + " --prompt hi --model " + folder, "num_beams 4 is beam search");
  EXPECT_NE(run("models inspect " + folder).out.find("num_beams 4 is beam search"), std::string::npos);
}

}  // namespace
}  // namespace hijack::sampling_test
