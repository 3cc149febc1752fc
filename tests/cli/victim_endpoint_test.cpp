// hijack evaluate --victim: saved images shown to a model behind an API, which here is hijack serve on the
// shipped model.
#include "src/experiment/record/results.h"
#include "tests/support/counting_proxy.h"
#include "tests/support/program.h"
#include "tests/support/served_model.h"

namespace hijack::victim_endpoint_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

const std::string kPocket = kRoot + "/samples/pocket";

/// One server on the shipped model, and one run that was attacked with it, for all tests.
class Victim : public Program {
 protected:
  static void SetUpTestSuite() { served_ = new Served(kPocket, {"--name", "pocket"}); }
  static void TearDownTestSuite() {
    delete served_;
    served_ = nullptr;
  }

  Victim() : proxy_(served_->port()) {
    const Outcome made =
        run(attack("--steps 2 --train 2 --validation 1 --test 2 --model " + kPocket + " --out " + at("run")));
    EXPECT_EQ(made.code, 0) << made.err;
  }

  std::string evaluate(const std::string& name, const std::string& more = "") const {
    return "evaluate " + at(name) +
           " --threads 1 --utility 3 --defense bit_depth:bits=4 --defense safety_prompt " + more;
  }
  std::string asked(const std::string& more = "", const std::string& cache = "cache") const {
    return " --victim " + proxy_.url() + "#pocket --retries 2 --cache " + at(cache) + " " + more;
  }
  void copy_run(const std::string& name) const { fs::copy(at("run"), at(name), fs::copy_options::recursive); }
  /// What was said, by what was asked behind what; of a victim or of the model itself.
  std::map<std::string, std::string> replies(const std::string& name, bool victim) const {
    std::map<std::string, std::string> all;
    for (const ReplyRow& row : read_run(at(name)).replies)
      if (row.split == "test" && row.model.empty() != victim)
        all[row.condition + "|" + row.defense + "|" + row.context.prompt] =
            row.reply + (row.cut ? " (cut)" : "");
    return all;
  }
  void expect_each_once() const {
    for (const auto& [body, times] : proxy_.bodies())
      EXPECT_EQ(times, 1) << body.substr(0, 100) << "..." << body.substr(body.size() - 120);
  }

  static Served* served_;
  CountingProxy proxy_;
};
Served* Victim::served_ = nullptr;

TEST_F(Victim, SaysWhatTheLocalModelSays) {
  copy_run("local");
  ASSERT_EQ(run(evaluate("local", "--suffix-steps 0")).code, 0) << read_file(at("err"));
  const auto own = replies("run", false);
  const Outcome outcome = run(evaluate("run", asked("--concurrency 3")));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("#pocket"), std::string::npos) << outcome.out;
  const auto local = replies("local", false), remote = replies("run", true);
  size_t compared = 0;
  for (const auto& [question, reply] : remote) {
    const auto same = local.find(question);
    if (question.starts_with("noise|") && question.find("|none|") == std::string::npos) continue;
    ASSERT_NE(same, local.end()) << question;
    EXPECT_EQ(reply, same->second) << question;
    ++compared;
  }
  EXPECT_GE(compared, 3u * 3 + 2 * 2);
  EXPECT_EQ(replies("run", false), own) << "the model's own replies stay";
  const RunRecord record = read_run(at("run"));
  const std::string name = proxy_.url() + "#pocket";
  EXPECT_EQ(record.manifest["victims"][name]["answered_as"], json::array({"pocket"}));
  EXPECT_EQ(record.trials.size(), 1u) << "nothing was attacked again";
  EXPECT_NE(read_file(at("run/report.html")).find("asked of " + proxy_.url() + "#pocket"), std::string::npos);
  const json report = json::parse(run("report " + at("run") + " --json").out);
  EXPECT_NE(report.dump().find("asked of "), std::string::npos);
  EXPECT_EQ(read_file(at("local/report.html")).find("asked of "), std::string::npos) << "and not without one";
  expect_each_once();
}

TEST_F(Victim, CutOffAndResumedNoCallIsPaidTwice) {
  copy_run("whole"), copy_run("again");
  ASSERT_EQ(run(evaluate("whole", asked("--concurrency 1", "other"))).code, 0) << read_file(at("err"));
  const int needed = proxy_.calls;
  const auto first = proxy_.bodies();
  ASSERT_GT(needed, 12);

  // interrupted in the middle, three times
  for (int cut = 1; cut <= 3; ++cut) {
    std::istringstream text(evaluate("run", asked("--concurrency 2")));
    std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
    ChildProcess child(words, at("out"), at("err"));
    const int until = needed + cut * needed / 4;
    proxy_.on_call = [&](int number) {
      if (number == until) child.signal(SIGINT);
    };
    EXPECT_EQ(child.wait(), 1) << read_file(at("err"));
    EXPECT_GE(proxy_.calls, until);
    EXPECT_LT(proxy_.calls, 2 * needed);
    proxy_.on_call = {};
  }
  const Outcome done = run(evaluate("run", asked("--concurrency 2")));
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(proxy_.calls, 2 * needed) << "as many as a run that was never cut off";
  for (const auto& [body, times] : proxy_.bodies()) EXPECT_EQ(times, 2) << "once for each of the two runs";
  EXPECT_EQ(proxy_.bodies().size(), first.size());
  EXPECT_EQ(replies("run", true), replies("whole", true));

  proxy_.stop();  // from here on there is no network
  const Outcome offline = run(evaluate("again", asked("--retries 0")));
  ASSERT_EQ(offline.code, 0) << offline.err;
  EXPECT_EQ(replies("again", true), replies("whole", true));
  EXPECT_NE(run(evaluate("again", asked("--retries 0 --utility 5"))).err.find("does not answer"),
            std::string::npos)
      << "what was never asked cannot be answered";
}

TEST_F(Victim, TheBudgetIsNeverExceeded) {
  proxy_.busy = 3;
  const Outcome spent = run(evaluate("run", asked("--calls 7 --concurrency 3")));
  EXPECT_EQ(spent.code, 1) << spent.err;
  EXPECT_NE(spent.err.find("The budget of 7 calls"), std::string::npos) << spent.err;
  EXPECT_EQ(proxy_.calls, 7) << "retries count";
  EXPECT_EQ(run(evaluate("run", asked("--calls 7"))).code, 1);
  EXPECT_EQ(proxy_.calls, 7) << "and so do earlier starts";
  const Outcome more = run(evaluate("run", asked("--calls 9")));
  EXPECT_EQ(more.code, 1) << more.err;
  EXPECT_EQ(proxy_.calls, 9);
  // killed outright: what was on its way is lost, but counted
  std::istringstream text(evaluate("run", asked("--calls 14 --concurrency 2")));
  std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
  ChildProcess child(words, at("out"), at("err"));
  proxy_.on_call = [&](int number) {
    if (number == 12) child.signal(SIGKILL);
  };
  EXPECT_EQ(child.wait(), 128 + SIGKILL);
  proxy_.on_call = {};
  EXPECT_EQ(run(evaluate("run", asked("--calls 14"))).code, 1);
  EXPECT_LE(proxy_.calls, 14);
  ASSERT_EQ(run(evaluate("run", asked("--calls 1000"))).code, 0) << read_file(at("err"));
  const std::string ledger = read_file(at("run/calls.jsonl"));
  EXPECT_GE(std::count(ledger.begin(), ledger.end(), '\n'), proxy_.calls) << "written before they are sent";
}

TEST_F(Victim, TheKeyStandsInNoFile) {
  setenv("HIJACK_API_KEY", "k-s3cret", 1);
  EXPECT_EQ(run(evaluate("run", asked())).code, 0) << read_file(at("err"));
  unsetenv("HIJACK_API_KEY");
  EXPECT_EQ(proxy_.authorization(), "Bearer k-s3cret");
  for (const auto& file : fs::recursive_directory_iterator(folder_.path()))
    if (file.is_regular_file()) {
      EXPECT_EQ(read_file(file.path()).find("k-s3cret"), std::string::npos) << file.path();
    }
}

TEST_F(Victim, WhatNeedsWeightsIsRefusedByName) {
  const auto refused = [&](const std::string& more, const std::string& words) {
    expect_refused("evaluate " + at("run") + " --utility 0 " + asked(more), words);
  };
  for (const char* defense : {"cider", "judge", "ecso", "perplexity", "retokenize"}) {
    refused(std::string("--defense ") + defense, std::string("Defense '") + defense + "'");
    refused(std::string("--defense ") + defense, "is behind an API, which gives replies only");
  }
  EXPECT_EQ(proxy_.calls, 0) << "and nothing was paid for that";
  refused("--defense bit_depth --adaptive", "--adaptive attacks through the defense by gradients");
  refused("--concurrency 0", "--concurrency must be from 1 to 25");
  refused("--calls -1", "--calls must not be negative");
  expect_refused("evaluate " + at("run") + " --victim http://127.0.0.1:1/v1", "#MODEL");
  expect_refused("evaluate " + at("run") + " --victim pocket#x", "http://127.0.0.1:8080/v1");
  const Outcome wrong = run("evaluate " + at("run") + " --utility 0 --retries 0 --victim " + proxy_.url() +
                            "#another --cache " + at("cache"));
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("there is no model 'another' here"), std::string::npos) << wrong.err;
  EXPECT_EQ(run("evaluate " + at("run") + " --utility 0" + asked()).code, 0) << "no defense is needed";
}

TEST_F(Victim, SurvivalIsAskedOfIt) {
  ASSERT_EQ(run("evaluate " + at("run") + " --utility 0 --survival" + asked()).code, 0)
      << read_file(at("err"));
  EXPECT_NE(read_file(at("out")).find("asked of"), std::string::npos) << read_file(at("out"));
}

}  // namespace
}  // namespace hijack::victim_endpoint_test
