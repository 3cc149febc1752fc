// hijack attack --victim on a model behind an API that gives replies and no log probabilities.
#include "src/experiment/record/results.h"
#include "tests/support/child_process.h"
#include "tests/support/program.h"
#include "tests/support/replying_victim.h"

namespace hijack::query_score_endpoint_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

const std::string kTarget = "Sure here it is as you like";
constexpr const char* kNote = "follows the success rate of the victim's replies";

/// So many characters of the target and what goes on behind it, more for odd questions.
std::string begun(double characters, const std::string& prompt) {
  const std::string whole = kTarget + ", my friend";
  const double more = (prompt.back() - '0') % 2 * 4;
  return whole.substr(0, static_cast<size_t>(std::clamp<double>(characters + more, 0, 99)));
}

class QueryScore : public Program {
 protected:
  std::string attack(const std::string& name, const std::string& more, const ReplyingVictim& victim) const {
    return "attack --image " + kPhoto + " --contexts " + at("contexts.jsonl") + " --threads 1 --model " +
           kRoot + "/samples/pocket --behavior refusal --target '" + kTarget +
           "' --max-new-tokens 40 --epsilon 32/255 --train 2 --validation 1 --test 2 --out " + at(name) +
           " --victim " + victim.url() + "#replier --cache " + at("cache") + " " + more;
  }
  TrialRow trial(const std::string& name) const { return read_run(at(name)).trials.at(0); }
  json scores(const std::string& name) const {
    return json::parse(read_file(at(name + "/manifest.json"))).value("query_scores", json());
  }
  static void expect_each_once(const ReplyingVictim& victim) {
    for (const auto& [body, times] : victim.bodies()) EXPECT_EQ(times, 1) << body.substr(0, 200);
  }
};

const std::string kSquare = "--optimizer square --steps 40 --validate-every 0 ";

TEST_F(QueryScore, SquareGoesByTheRepliesOfAServerWithoutScores) {
  ReplyingVictim victim([](double light, const std::string& prompt) { return begun(4 + 5 * light, prompt); });
  const Outcome outcome = run(attack("run", kSquare + "--concurrency 2", victim));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find(kNote), std::string::npos) << outcome.err;
  EXPECT_EQ(scores("run").size(), 1u);
  EXPECT_EQ(scores("run").at(victim.url() + "#replier, reply"), "success");
  EXPECT_EQ(victim.scoring_calls, 1) << "asked once for scores, then for replies";
  expect_each_once(victim);
  const TrialRow row = trial("run");
  EXPECT_EQ(row.query_score, "success");
  EXPECT_EQ(row.optimizer, "square (success rate)");
  EXPECT_EQ(row.losses.size(), 40u);
  EXPECT_GT(row.losses.front(), 1) << "nobody obeys at first";
  EXPECT_EQ(*std::min_element(row.losses.begin(), row.losses.end()), 0);
  EXPECT_EQ(row.success.at("test").exact, 2);
  EXPECT_EQ(row.controls.at("clean").exact, 0);
  EXPECT_LT(row.loss_saved, row.loss_clean);
  EXPECT_TRUE(row.budget.respected);
  EXPECT_NE(read_file(at("run/report.html")).find("square (success rate)"), std::string::npos);
  // the same, said outright: nobody is asked for scores
  ASSERT_EQ(run(attack("told", kSquare + "--query-score success", victim)).code, 0) << read_file(at("err"));
  EXPECT_EQ(read_file(at("err")).find(kNote), std::string::npos);
  EXPECT_TRUE(scores("told").is_null());
  EXPECT_EQ(victim.scoring_calls, 1);
  EXPECT_EQ(trial("told").files, row.files);
  expect_each_once(victim);
}

TEST_F(QueryScore, RgfGoesByRepliesAndStaysWhereTheyTellNothing) {
  ReplyingVictim victim(
      [](double light, const std::string& prompt) { return begun(4 + 80 * light, prompt); });
  const std::string search =
      "--queries 4 --query-smoothing 0.06 --step-size 0.02 --steps 8 --validate-every 0 ";
  ASSERT_EQ(run(attack("run", search, victim)).code, 0) << read_file(at("err"));
  const TrialRow row = trial("run");
  EXPECT_EQ(row.optimizer, "pgd (RGF, success rate)");
  EXPECT_LT(*std::min_element(row.losses.begin(), row.losses.end()), row.losses.front());
  EXPECT_GT(row.budget.max_difference_255, 0);
  EXPECT_LT(row.idle_steps, 8);
  expect_each_once(victim);

  ReplyingVictim mute([](double, const std::string&) { return "I would rather not."; });
  const Outcome stood = run(attack("mute", search, mute));
  ASSERT_EQ(stood.code, 0) << stood.err;
  EXPECT_NE(stood.err.find("in 8 of 8 steps no direction changed"), std::string::npos) << stood.err;
  EXPECT_EQ(trial("mute").idle_steps, 8);
  EXPECT_EQ(trial("mute").budget.max_difference_255, 0) << "no step was taken";
}

TEST_F(QueryScore, TheBudgetHoldsAndNoCallIsPaidTwice) {
  ReplyingVictim victim([](double light, const std::string& prompt) { return begun(4 + 8 * light, prompt); });
  const std::string search = "--optimizer square --steps 9 --validate-every 3 --checkpoint-every 2 ";
  const Outcome spent = run(attack("run", search + "--calls 11", victim));
  EXPECT_EQ(spent.code, 1) << spent.err;
  EXPECT_NE(spent.err.find("The budget of 11 calls"), std::string::npos) << spent.err;
  EXPECT_EQ(victim.calls, 11);
  EXPECT_EQ(scores("run").size(), 1u) << "known from the first call on";
  EXPECT_EQ(run("attack --resume --out " + at("run")).code, 1);
  EXPECT_EQ(victim.calls, 11) << "the budget is the run's";
  // and killed in the middle
  std::istringstream text("attack --resume --calls 1000 --concurrency 1 --out " + at("run") + " --cache " +
                          at("cache"));
  ChildProcess child({std::istream_iterator<std::string>(text), {}}, at("child.out"), at("child.err"));
  victim.on_call = [&](int number) {
    if (number == 16) child.signal(SIGKILL);
  };
  EXPECT_EQ(child.wait(), 128 + SIGKILL);
  victim.on_call = {};
  const Outcome done = run("attack --resume --calls 1000 --out " + at("run") + " --cache " + at("cache"));
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.err.find(kNote), std::string::npos) << "it is in the manifest";
  EXPECT_EQ(victim.scoring_calls, 1);
  int twice = 0;
  for (const auto& [body, times] : victim.bodies()) twice += times - 1;
  EXPECT_LE(twice, 1) << "at most the one that was on its way when the program was killed";
  const std::string ledger = read_file(at("run/calls.jsonl"));
  EXPECT_EQ(std::count(ledger.begin(), ledger.end(), '\n'), victim.calls);
  // offline, from the cache, to the same bytes
  victim.stop();
  ASSERT_EQ(run(attack("again", search + "--query-score success", victim)).code, 0) << read_file(at("err"));
  EXPECT_EQ(trial("again").files, trial("run").files);
  EXPECT_EQ(trial("again").losses, trial("run").losses);
}

TEST_F(QueryScore, ServersThatRefuseToScore) {
  ReplyingVictim victim([](double light, const std::string& prompt) { return begun(4 + 8 * light, prompt); });
  victim.refuses_scores_with = 400;
  const std::string search = "--optimizer square --steps 2 --validate-every 0 ";
  const Outcome outcome = run(attack("run", search, victim));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find(kNote), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("Unknown parameter"), std::string::npos) << "with its reason";
  const Outcome first = run(attack("first", search + "--victim-scores first-token", victim));
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(scores("first").at(victim.url() + "#replier, first-token"), "success");
  // a missing key is none of these
  victim.refuses_scores_with = 401;
  expect_refused(attack("key", search, victim), "HTTP status 401");
  EXPECT_FALSE(fs::exists(at("key/trials.jsonl")));
  // who insists on scores is refused, and told what does without
  victim.refuses_scores_with = 0;
  for (const char* how : {"reply", "first-token"}) {
    const std::string scores = std::string("--query-score log-likelihood --victim-scores ") + how;
    expect_refused(attack(how, search + scores, victim), "--query-score success");
    EXPECT_FALSE(fs::exists(at(std::string(how) + "/trials.jsonl")));
  }
  expect_refused(attack("none", search + "--query-score rate", victim),
                 "must be auto, log-likelihood or success");
  expect_refused(Program::attack("--query-score success"), "name it with --victim");
}

}  // namespace
}  // namespace hijack::query_score_endpoint_test
