// hijack attack --victim: attacks without gradients on a model behind an API, which here is hijack serve on
// the shipped model.
#include "src/experiment/record/results.h"
#include "tests/support/counting_proxy.h"
#include "tests/support/program.h"
#include "tests/support/served_model.h"

namespace hijack::query_attack_endpoint_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

const std::string kPocket = kRoot + "/samples/pocket";

class QueryAttack : public Program {
 protected:
  static void SetUpTestSuite() { served_ = new Served(kPocket, {"--name", "pocket"}); }
  static void TearDownTestSuite() {
    delete served_;
    served_ = nullptr;
  }

  QueryAttack() : proxy_(served_->port()) {}

  std::string attack(const std::string& name, const std::string& more) const {
    return "attack --image " + kPhoto + " --contexts " + at("contexts.jsonl") + " --threads 1 --model " +
           kPocket +
           " --behavior refusal --target Sure --max-new-tokens 6 --epsilon 32/255 --train 2 --validation 1 "
           "--test 2" +
           " --out " + at(name) + " " + more;
  }
  std::string victim(const std::string& cache = "cache") const {
    return "--victim " + proxy_.url() + "#pocket --cache " + at(cache) + " ";
  }

  static Served* served_;
  CountingProxy proxy_;
};
Served* QueryAttack::served_ = nullptr;

TEST_F(QueryAttack, SquareFindsWhatTheLocalModelFinds) {
  const std::string search = "--optimizer square --steps 5 --validate-every 0 ";
  ASSERT_EQ(run(attack("local", search)).code, 0) << read_file(at("err"));
  const Outcome outcome = run(attack("remote", search + victim() + "--concurrency 2"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const TrialRow local = read_run(at("local")).trials.at(0), remote = read_run(at("remote")).trials.at(0);
  EXPECT_EQ(remote.model, proxy_.url() + "#pocket");
  ASSERT_EQ(remote.losses.size(), local.losses.size());
  EXPECT_NEAR(remote.loss_clean, local.loss_clean, 1e-3 * local.loss_clean);
  for (size_t i = 0; i < local.losses.size(); ++i)
    EXPECT_NEAR(remote.losses[i], local.losses[i], 0.02 * local.losses[i]) << i;
  EXPECT_TRUE(remote.budget.respected);
  EXPECT_EQ(remote.query_score, "log-likelihood") << "where the server gives it";
  EXPECT_EQ(local.query_score, "");
  EXPECT_EQ(outcome.err.find("success rate"), std::string::npos) << outcome.err;
  const json manifest = json::parse(read_file(at("remote/manifest.json")));
  EXPECT_EQ(manifest.at("query_scores").at(proxy_.url() + "#pocket, reply"), "log-likelihood");
  EXPECT_TRUE(std::isnan(remote.visibility.feature_distance)) << "nobody has the victim's features";
  EXPECT_FALSE(std::isnan(local.visibility.feature_distance));
  for (const auto& [body, times] : proxy_.bodies()) EXPECT_EQ(times, 1) << body.substr(0, 200);
  const std::string ledger = read_file(at("remote/calls.jsonl"));
  EXPECT_EQ(std::count(ledger.begin(), ledger.end(), '\n'), proxy_.calls);
  expect_refused("evaluate " + at("remote") + " --utility 0 --suffix-steps 0 --defense bit_depth",
                 "--victim");
  EXPECT_EQ(run("evaluate " + at("remote") + " --utility 0 --defense bit_depth --cache " + at("cache") +
                " --victim " + proxy_.url() + "#pocket")
                .code,
            0)
      << read_file(at("err"));
}

TEST_F(QueryAttack, RgfEstimatesAndTheBudgetHolds) {
  const std::string search =
      "--queries 2 --query-smoothing 0.03 --steps 3 --validate-every 0 --checkpoint-every 1 ";
  const Outcome spent = run(attack("run", search + victim() + "--calls 9"));
  EXPECT_EQ(spent.code, 1) << spent.err;
  EXPECT_NE(spent.err.find("The budget of 9 calls"), std::string::npos) << spent.err;
  EXPECT_EQ(proxy_.calls, 9);
  EXPECT_EQ(run("attack --resume --out " + at("run")).code, 1);
  EXPECT_EQ(proxy_.calls, 9) << "the budget is the run's";
  const Outcome done = run("attack --resume --calls 1000 --out " + at("run") + " --cache " + at("cache"));
  ASSERT_EQ(done.code, 0) << done.err;
  for (const auto& [body, times] : proxy_.bodies()) EXPECT_EQ(times, 1) << "nothing is paid twice";
  EXPECT_EQ(read_run(at("run")).trials.size(), 1u);
  const int paid = proxy_.calls;
  proxy_.stop();
  ASSERT_EQ(run(attack("again", search + victim())).code, 0) << read_file(at("err"));
  EXPECT_EQ(proxy_.calls, paid) << "offline, from the cache";
  EXPECT_EQ(read_run(at("again")).trials.at(0).losses, read_run(at("run")).trials.at(0).losses);
}

TEST_F(QueryAttack, FirstTokensAloneWillDo) {
  const std::string search = "--optimizer square --steps 4 --validate-every 0 --victim-scores first-token ";
  ASSERT_EQ(run(attack("run", search + victim())).code, 0) << read_file(at("err"));
  const TrialRow trial = read_run(at("run")).trials.at(0);
  EXPECT_EQ(trial.setting.at("victim_scores"), "first-token");
  EXPECT_GT(trial.loss_clean, 0);
  for (const auto& [body, times] : proxy_.bodies()) {
    EXPECT_EQ(times, 1);
    EXPECT_FALSE(json::parse(body).contains("prompt_logprobs"));
  }
}

TEST_F(QueryAttack, EachTrialOfAGridIsScoredInItsOwnWay) {
  write_file(
      at("grid.toml"),
      "[attack]\nimage = \"" + kPhoto + "\"\ncontexts = \"" + at("contexts.jsonl") + "\"\nmodel = \"" +
          kPocket +
          "\"\nbehavior = \"refusal\"\ntarget = \"Sure\"\nmax_new_tokens = 6\nepsilon = \"32/255\"\ntrain = "
          "2\nvalidation = 1\ntest = 2\noptimizer = \"square\"\nsteps = 1\nvalidate_every = 0\nthreads = "
          "1\nvictim = \"" +
          proxy_.url() + "#pocket\"\ncache = \"" + at("cache") +
          "\"\n[[grid]]\nvictim_scores = [\"reply\", \"first-token\"]\n");
  ASSERT_EQ(run("run " + at("grid.toml") + " --out " + at("grid")).code, 0) << read_file(at("err"));
  int scored = 0, by_first_token = 0;
  for (const auto& [body, times] : proxy_.bodies()) {
    const json request = json::parse(body);
    scored += request.contains("prompt_logprobs");
    by_first_token += request.contains("top_logprobs");
  }
  EXPECT_GT(scored, 0);
  EXPECT_GT(by_first_token, 0) << "the second trial asks for first tokens";
}

TEST_F(QueryAttack, WhatNeedsGradientsIsRefused) {
  const auto refused = [&](const std::string& more, const std::string& words) {
    expect_refused(attack("none", more + " --victim " + proxy_.url() + "#pocket"), words);
    EXPECT_FALSE(fs::exists(at("none")));
  };
  refused("", "follows gradients: take --optimizer square");
  refused("--optimizer adam", "The optimizer adam follows gradients");
  refused("--method gcg", "--victim works with method image, not gcg");
  refused("--optimizer square --defense bit_depth --adaptive", "--adaptive attacks through a defense");
  refused("--optimizer square --objective margin", "--victim works with objective behavior");
  refused("--optimizer square --victim-scores all", "must be reply or first-token");
  refused("--optimizer square --concurrency 0", "--concurrency must be from 1 to 25");
  expect_refused(attack("none", "--optimizer square --victim http://127.0.0.1:1/v1"), "#MODEL");
  EXPECT_EQ(proxy_.calls, 0);
}

}  // namespace
}  // namespace hijack::query_attack_endpoint_test
