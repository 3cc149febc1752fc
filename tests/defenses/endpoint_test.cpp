// The endpoint against a server on 127.0.0.1.
#include "models/endpoint/endpoint.h"

#include <gtest/gtest.h>

#include <thread>

#include "defenses/make_defense.h"
#include "src/base/error.h"
#include "tests/support/local_server.h"
#include "tests/support/temporary_folder.h"

namespace hijack::endpoint_test {
namespace {

using nlohmann::json;
using support::error_of;

std::string chat(const std::string& text) {
  return json({{"choices", {{{"message", {{"role", "assistant"}, {"content", text}}}}}}}).dump();
}

/// Counts requests and answers with what the test says.
class Endpoint : public ::testing::Test {
 protected:
  Endpoint() {
    server_.answer("/v1/(.*)", [this](const httplib::Request& request, httplib::Response& response) {
      ++requests_;
      last_ = json::parse(request.body, nullptr, false);
      path_ = request.path;
      authorization_ = request.get_header_value("Authorization");
      if (pause_ > 0) std::this_thread::sleep_for(std::chrono::duration<double>(pause_));
      if (failures_ > 0 && failures_-- > 0) {
        response.status = failure_status_;
        response.set_content(failure_text_, "application/json");
        return;
      }
      response.set_content(answer_, "application/json");
    });
    parameters_.endpoint = server_.url() + "/";
    parameters_.endpoint_model = "tiny";
    parameters_.cache = (folder_.path() / "cache").string();
    parameters_.retries = 2;
    parameters_.timeout = 5;
  }

  void stop() { server_.stop(); }
  std::string say(const std::string& prompt, const GenerateOptions& options = {}) const {
    const Query query{.prompt = prompt, .system = "be brief", .earlier = {{"hello", "hi"}}};
    return EndpointModel(parameters_, 0.001).generate({&query, 1}, options).at(0).text;
  }

  support::TemporaryFolder folder_;
  EndpointParameters parameters_;
  std::atomic<int> requests_ = 0, failures_ = 0;
  int failure_status_ = 503;
  std::string failure_text_;
  double pause_ = 0;
  std::string answer_ = chat("short");
  json last_;
  std::string path_, authorization_;
  support::LocalServer server_;
};

TEST_F(Endpoint, AsksAsTheProtocolSays) {
  setenv("HIJACK_API_KEY", "k-1", 1);
  EXPECT_EQ(say("what?", {.max_new_tokens = 7, .temperature = 0.5, .seed = 3}), "short");
  unsetenv("HIJACK_API_KEY");
  EXPECT_EQ(path_, "/v1/chat/completions");
  EXPECT_EQ(authorization_, "Bearer k-1");
  EXPECT_EQ(last_.at("model"), "tiny");
  EXPECT_EQ(last_.at("max_tokens"), 7);
  EXPECT_EQ(last_.at("temperature"), 0.5);
  ASSERT_EQ(last_.at("messages").size(), 4u);
  EXPECT_EQ(last_["messages"][0]["role"], "system");
  EXPECT_EQ(last_["messages"][2]["content"], "hi");
  EXPECT_EQ(last_["messages"][3]["content"], "what?");
}

TEST_F(Endpoint, SaysWhatTheServerCut) {
  const Query query{.prompt = "a tale"};
  const auto generated = [&](const char* reason) {
    const json choice = {{"message", {{"content", "once"}}}, {"finish_reason", reason}};
    answer_ = json{{"choices", json::array({choice})}}.dump();
    return EndpointModel(parameters_, 0.001)
        .generate({&query, 1}, {.seed = static_cast<uint64_t>(*reason) << 33})
        .at(0);
  };
  EXPECT_EQ(generated("length"), (Generated{"once", true}));
  EXPECT_EQ(generated("stop"), (Generated{"once", false}));
}

TEST_F(Endpoint, WhatWasAskedOnceIsAnsweredOffline) {
  EXPECT_EQ(say("one"), "short");
  answer_ = chat("changed");
  EXPECT_EQ(say("one"), "short");
  EXPECT_EQ(requests_, 1);
  EXPECT_EQ(say("two"), "changed");
  EXPECT_EQ(say("one", {.temperature = 1}), "changed");
  stop();
  EXPECT_EQ(say("one"), "short");
  EXPECT_NE(error_of([&] { say("three"); }), "");
}

TEST_F(Endpoint, TriesAgainWhenTheServerIsBusy) {
  failures_ = 2;
  EXPECT_EQ(say("again"), "short");
  EXPECT_EQ(requests_, 3);
  failures_ = 9;
  const std::string message = error_of([&] { say("down"); });
  EXPECT_NE(message.find("503"), std::string::npos) << message;
  EXPECT_NE(message.find("3 tries"), std::string::npos) << message;
  EXPECT_EQ(requests_, 6);
}

TEST_F(Endpoint, ARefusalIsNotTriedAgain) {
  failures_ = 9;
  failure_status_ = 401;
  const std::string message = error_of([&] { say("who am I"); });
  EXPECT_NE(message.find("401"), std::string::npos) << message;
  EXPECT_EQ(requests_, 1);
}

TEST_F(Endpoint, DownOrSlowIsOneSentence) {
  parameters_.retries = 0;
  parameters_.timeout = 0.2;
  pause_ = 0.6;
  EXPECT_NE(error_of([&] { say("slow"); }).find("does not answer"), std::string::npos);
  pause_ = 0;
  stop();
  const std::string message = error_of([&] { say("down"); });
  EXPECT_NE(message.find("does not answer"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

TEST_F(Endpoint, GarbageIsRefusedAndNotKept) {
  for (const std::string& garbage :
       {std::string("<html>"), std::string("{}"), std::string("[1]"), std::string(R"({"choices": []})"),
        std::string(R"({"choices": [{"message": {"content": null}}]})"), std::string(100, '['),
        std::string()}) {
    answer_ = garbage;
    const std::string message = error_of([&] { say("hm"); });
    EXPECT_NE(message.find("cannot be understood"), std::string::npos) << garbage << ": " << message;
  }
  answer_ = std::string((size_t{16} << 20) + 1, 'a');
  EXPECT_NE(error_of([&] { say("hm"); }).find("16 MiB"), std::string::npos);
  answer_ = chat("fine");
  EXPECT_EQ(say("hm"), "fine");
}

TEST_F(Endpoint, ScoresPromptsByEcho) {
  answer_ = R"({"choices": [{"text": "a b c d", "logprobs": {"token_logprobs": [null, -1.5, -0.5, -9],
      "text_offset": [0, 1, 3, 5]}}]})";
  const Tensor nll = EndpointModel(parameters_).prompt_nll("a b c");
  ASSERT_EQ(nll.numel(), 2);  // the generated token is behind the prompt
  EXPECT_NEAR(nll[0].item<double>(), 1.5, 1e-6);
  EXPECT_NEAR(nll[1].item<double>(), 0.5, 1e-6);
  EXPECT_EQ(path_, "/v1/completions");
  EXPECT_EQ(last_.at("echo"), true);
  answer_ = chat("no scores");
  EXPECT_NE(error_of([&] { EndpointModel(parameters_).prompt_nll("x y"); }).find("does not score"),
            std::string::npos);
  EXPECT_NE(error_of([&] { EndpointModel(parameters_).tokenizer(); }), "");
}

TEST_F(Endpoint, OffsetsCountCharacters) {
  // "über ça" has 7 characters in 9 bytes: in bytes, the generated token at 7 would stand inside the prompt.
  answer_ = R"({"choices": [{"text": "über ça va", "logprobs": {"token_logprobs": [null, -1, -2, -9],
      "text_offset": [0, 2, 4, 7]}}]})";
  EXPECT_EQ(EndpointModel(parameters_).prompt_nll("über ça").numel(), 2);
  answer_ = R"({"choices": [{"text": "猫🐈 x", "logprobs": {"token_logprobs": [null, -1, -9],
      "text_offset": [0, 1, 2]}}]})";
  EXPECT_EQ(EndpointModel(parameters_).prompt_nll("猫🐈").numel(), 1);
}

TEST_F(Endpoint, TheServersOwnCountGoesBeforeItsOffsets) {
  // vLLM's offsets add up the tokens' texts, <s> among them: the prompt's last token seems to stand behind
  // it.
  answer_ = R"({"choices": [{"text": "a b c", "logprobs": {"token_logprobs": [null, -1, -2, -9],
      "text_offset": [0, 3, 5, 7]}}], "usage": {"prompt_tokens": 3, "completion_tokens": 1}})";
  EXPECT_EQ(EndpointModel(parameters_).prompt_nll("a b").numel(), 2);
  answer_ = R"({"choices": [{"text": "x y z", "logprobs": {"token_logprobs": [null, -1, -9],
      "text_offset": [0, 1, 3]}}], "usage": {"prompt_tokens": 99, "completion_tokens": -4}})";
  EXPECT_EQ(EndpointModel(parameters_).prompt_nll("x y").numel(), 1) << "a count that does not fit is none";
}

TEST_F(Endpoint, AServerThatDoesNotEchoIsOneClearSentence) {
  const auto refused = [&](const std::string& prompt) {
    const std::string message = error_of([&] { EndpointModel(parameters_, 0.001).prompt_nll(prompt); });
    EXPECT_NE(message.find("does not score prompts"), std::string::npos) << message;
    EXPECT_NE(message.find("vLLM"), std::string::npos) << message;
    EXPECT_NE(message.find("llama.cpp"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  };
  // llama.cpp: its own format of logprobs, of what it wrote
  answer_ = R"({"choices": [{"text": "!", "logprobs": {"content": [{"token": "!", "logprob": -0.1}]}}]})";
  refused("one two");
  // scores of the generated token alone used to count as a prompt without scores, which passes
  answer_ = R"({"choices": [{"text": "!", "logprobs": {"token_logprobs": [-0.1], "text_offset": [0]}}]})";
  refused("three four");
  failures_ = 100;
  failure_status_ = 500;  // older llama.cpp
  failure_text_ = R"({"error": {"message": "Only no echo is supported"}})";
  requests_ = 0;
  refused("five six");
  EXPECT_EQ(requests_, 1) << "asking again does not help";
  failure_status_ = 404;
  failure_text_ = "";
  const std::string message = error_of([&] { EndpointModel(parameters_).prompt_nll("seven eight"); });
  EXPECT_NE(message.find("404"), std::string::npos) << message;
  EXPECT_NE(message.find("vLLM"), std::string::npos) << message;
  std::string help;
  for (const DefenseParameter& parameter : defense_info("perplexity").parameters) help += parameter.help;
  EXPECT_NE(help.find("llama.cpp's own server does not"), std::string::npos);
}

TEST_F(Endpoint, ServesTheDefenses) {
  const std::string more =
      "endpoint=" + parameters_.endpoint + ",endpoint_model=tiny,cache=" + parameters_.cache;
  const auto paraphrase = make_defense(parse_defense("paraphrase:" + more), {});
  const auto echo = [](const std::vector<Submission>& submissions) {
    std::vector<Reply> replies;
    for (const Submission& one : submissions) replies.push_back({one.query.prompt});
    return replies;
  };
  EXPECT_EQ(paraphrase->answer({{{}, {.prompt = "a long question"}}}, echo).at(0).text, "short");
  answer_ = R"({"choices": [{"logprobs": {"token_logprobs": [null, -5, -1], "text_offset": [0, 1, 20]}}]})";
  const auto filter = make_defense(parse_defense("perplexity:threshold=4," + more), {});
  EXPECT_TRUE(filter->answer({{{}, {.prompt = "zx qv"}}}, echo).at(0).rejected);
  EXPECT_NE(error_of([] { parse_defense("paraphrase:endpoint=127.0.0.1:80"); }).find("http://"),
            std::string::npos);
}

}  // namespace
}  // namespace hijack::endpoint_test
