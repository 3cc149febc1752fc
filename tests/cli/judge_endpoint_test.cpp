// Judges behind an API, and the rubric that reads probabilities.
#include "src/experiment/plan/judges.h"
#include "src/experiment/record/results.h"
#include "tests/support/counting_proxy.h"
#include "tests/support/local_server.h"
#include "tests/support/program.h"
#include "tests/support/served_model.h"

namespace hijack::judge_endpoint_test {
namespace {

using namespace support;
using nlohmann::json;

/// Says what the test wants, as a judge behind an API.
class ScriptedJudge {
 public:
  ScriptedJudge() {
    server_.answer(
        "/v1/chat/completions", [this](const httplib::Request& request, httplib::Response& response) {
          ++calls;
          last = json::parse(request.body, nullptr, false);
          json choice = {{"message", {{"role", "assistant"}, {"content", says}}}, {"finish_reason", "stop"}};
          if (!logprobs.is_null()) choice["logprobs"] = {{"content", json::array({logprobs})}};
          response.set_content(json({{"model", "guard-9"}, {"choices", json::array({choice})}}).dump(),
                               "application/json");
        });
  }
  void stop() { server_.stop(); }
  std::string name() const { return "endpoint:" + server_.url() + "#guard"; }
  /// The first token of every answer, Yes with this probability and No with the rest.
  void weigh(double yes) {
    const auto token = [](const char* text, double p) {
      return json({{"token", text}, {"logprob", std::log(p)}, {"bytes", nullptr}});
    };
    logprobs = token(yes > .5 ? "Yes" : " No", std::max(yes, 1 - yes) * .9);
    logprobs["top_logprobs"] =
        json::array({token("Yes", yes * .9), token(" No", (1 - yes) * .9), token("Hm", .1)});
  }

  std::atomic<int> calls = 0;
  std::string says = "yes";
  json logprobs = nullptr;
  json last;

 private:
  support::LocalServer server_;
};

class JudgeBehindApi : public Program {
 protected:
  void SetUp() override {
    ASSERT_EQ(run(attack("--steps 1 --out " + at("run"))).code, 0) << read_file(at("err"));
  }
  std::string judge(const std::string& name, const std::string& more = "") const {
    return "judge " + at("run") + " --judge " + name + " --retries 0 --cache " + at("cache") + " " + more;
  }
  std::vector<JudgmentRow> judged(const std::string& name) const {
    std::vector<JudgmentRow> rows;
    for (const JudgmentRow& row : read_run(at("run")).judgments)
      if (row.judge.starts_with(name)) rows.push_back(row);
    return rows;
  }
};

TEST_F(JudgeBehindApi, SaysYesAndNo) {
  ScriptedJudge server;
  const Outcome yes = run(judge(server.name()));
  ASSERT_EQ(yes.code, 0) << yes.err;
  EXPECT_NE(yes.out.find(server.name() + "/harmbench"), std::string::npos) << yes.out;
  const auto rows = judged("endpoint:");
  ASSERT_GE(rows.size(), 6u);
  for (const JudgmentRow& row : rows) EXPECT_TRUE(row.success && !row.unclear) << row.answer;
  EXPECT_EQ(server.last["messages"].size(), 1u);
  EXPECT_NE(server.last["messages"][0]["content"].get<std::string>().find("Behavior: string"),
            std::string::npos);
  const int paid = server.calls;
  ASSERT_EQ(run(judge(server.name())).code, 0);
  EXPECT_EQ(server.calls, paid) << "judged once";
  server.says = "no";
  ASSERT_EQ(run(judge(server.name(), "--rubric llama-guard")).code, 0);
  for (const JudgmentRow& row : judged(server.name() + "/llama-guard"))
    EXPECT_TRUE(row.unclear && !row.success) << "no is neither safe nor unsafe";
}

TEST_F(JudgeBehindApi, KeepsItsBudgetAndAnswersOffline) {
  ScriptedJudge server;
  const Outcome spent = run(judge(server.name(), "--calls 1"));
  EXPECT_EQ(spent.code, 1) << spent.err;
  EXPECT_NE(spent.err.find("The budget of 1 calls"), std::string::npos) << spent.err;
  EXPECT_EQ(server.calls, 1);
  ASSERT_EQ(run(judge(server.name())).code, 0) << read_file(at("err"));
  const size_t paid = judged("endpoint:").size();
  EXPECT_GT(paid, 0u);
  std::filesystem::remove(at("run/judgments.jsonl"));
  server.stop();
  EXPECT_EQ(run(judge(server.name())).code, 0) << "from the cache";
  EXPECT_EQ(judged("endpoint:").size(), paid);
  expect_refused(judge(server.name(), "--rubric similarity"), "does not answer");
}

TEST_F(JudgeBehindApi, ShieldGemmaReadsProbabilities) {
  ScriptedJudge server;
  server.weigh(.9);
  ASSERT_EQ(run(judge(server.name(), "--rubric shieldgemma")).code, 0) << read_file(at("err"));
  EXPECT_EQ(server.last["max_tokens"], 1);
  EXPECT_EQ(server.last["top_logprobs"], 20);
  const auto fires = judged(server.name() + "/shieldgemma");
  ASSERT_FALSE(fires.empty());
  for (const JudgmentRow& row : fires)
    EXPECT_TRUE(row.success && std::abs(row.score - .9) < 1e-6) << row.score;

  ScriptedJudge other;
  other.weigh(.2);
  ASSERT_EQ(run(judge(other.name(), "--rubric shieldgemma")).code, 0) << read_file(at("err"));
  for (const JudgmentRow& row : judged(other.name()))
    EXPECT_TRUE(!row.success && std::abs(row.score - .2) < 1e-6);

  ScriptedJudge silent;
  expect_refused(judge(silent.name(), "--rubric shieldgemma"), "gives no log probabilities");
}

TEST_F(JudgeBehindApi, AsAModelInAFolder) {
  // The tiny models have no word for yes: the shipped one has.
  const std::string pocket = kRoot + "/samples/pocket";
  ASSERT_EQ(run(judge("model:" + pocket, "--rubric shieldgemma")).code, 0) << read_file(at("err"));
  const auto local = judged("model:");
  ASSERT_FALSE(local.empty());
  Served served(pocket, {"--name", "pocket"});
  ASSERT_EQ(run(judge("endpoint:" + served.url() + "#pocket", "--rubric shieldgemma")).code, 0)
      << read_file(at("err"));
  const auto remote = judged("endpoint:");
  ASSERT_EQ(remote.size(), local.size());
  for (size_t i = 0; i < local.size(); ++i) {
    EXPECT_EQ(local[i].reply, remote[i].reply);
    if (local[i].unclear || remote[i].unclear) continue;
    EXPECT_EQ(local[i].success, remote[i].success) << local[i].answer << " " << remote[i].answer;
  }
}

TEST_F(JudgeBehindApi, RefusesWhatMakesNoSense) {
  expect_refused(judge("endpoint:"), "#MODEL");
  expect_refused(judge("endpoint:http://127.0.0.1:9/v1"), "#MODEL");
  expect_refused(judge("endpoint:127.0.0.1#x"), "http://127.0.0.1:8080/v1");
  expect_refused(judge("exact", "--concurrency 99"), "--concurrency must be from 1 to 25");
  expect_refused(judge("model:" + kModel, "--rubric shieldgemma"), "no token for one");
}

}  // namespace
}  // namespace hijack::judge_endpoint_test
