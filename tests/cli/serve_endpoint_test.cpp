// hijack serve: what an OpenAI-compatible client gets, and what a hostile one does.
#include <regex>

#include "models/endpoint/chat_body.h"
#include "models/load_model.h"
#include "src/base/image.h"
#include "src/base/sha256.h"
#include "tests/support/program.h"
#include "tests/support/served_model.h"

namespace hijack::serve_endpoint_test {
namespace {

using namespace support;
using nlohmann::json;

/// One server for all tests of this file: starting one costs more than asking it.
class Serve : public Program {
 protected:
  static void SetUpTestSuite() { served_ = new Served(kModel, {"--max-request", "1", "--name", "tiny"}); }
  static void TearDownTestSuite() {
    delete served_;
    served_ = nullptr;
  }

  static json request(const std::string& prompt = "what is this") {
    json body = chat_body("tiny", {.prompt = prompt}, url(), {.max_new_tokens = 6}, 0);
    return body;
  }
  static const std::string& url() {
    static const std::string kUrl = data_url(small_photo());
    return kUrl;
  }
  static Tensor small_photo() { return load_image(kPhoto).slice(2, 0, 64).slice(3, 0, 64).contiguous(); }
  static std::string local_reply(const Query& query, const GenerateOptions& options) {
    static const auto kLocal = load_model(kModel);
    return kLocal->generate(kLocal->preprocess(small_photo()), {&query, 1}, options).at(0).text;
  }
  static std::string text_of(const json& answer) { return answer.at("choices")[0]["message"]["content"]; }

  static Served* served_;
};
Served* Serve::served_ = nullptr;

TEST_F(Serve, AnswersAsTheLocalModelDoes) {
  const json answer = served_->ask(request());
  EXPECT_EQ(text_of(answer), local_reply({.prompt = "what is this"}, {.max_new_tokens = 6}));
  EXPECT_EQ(answer["object"], "chat.completion");
  EXPECT_EQ(answer["model"], "tiny");
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(answer["usage"]["completion_tokens"].get<int>() + answer["usage"]["prompt_tokens"].get<int>(),
            answer["usage"]["total_tokens"]);
  EXPECT_GT(answer["usage"]["prompt_tokens"], 4);

  const Query talk{.prompt = "and now", .system = "be brief", .earlier = {{"hello", "hi"}}};
  const json earlier = served_->ask(chat_body("tiny", talk, url(), {.max_new_tokens = 5}, 0));
  EXPECT_EQ(text_of(earlier), local_reply(talk, {.max_new_tokens = 5}));

  json drawn = request();
  drawn["temperature"] = 1.5, drawn["top_p"] = 0.9, drawn["seed"] = 7;
  GenerateOptions options{.max_new_tokens = 6, .temperature = 1.5, .top_p = 0.9, .seed = 7};
  EXPECT_EQ(text_of(served_->ask(drawn)), local_reply({.prompt = "what is this"}, options));
  drawn["seed"] = 8;
  const json other = served_->ask(drawn);
  options.seed = 8;
  EXPECT_EQ(text_of(other), local_reply({.prompt = "what is this"}, options));
}

TEST_F(Serve, ListsItsModel) {
  httplib::Client client("127.0.0.1", served_->port());
  const auto models = client.Get("/v1/models");
  ASSERT_TRUE(models);
  EXPECT_EQ(json::parse(models->body)["data"][0]["id"], "tiny");
  EXPECT_EQ(client.Get("/health")->status, 200);
  const auto nowhere = client.Get("/v1/nowhere");
  EXPECT_EQ(nowhere->status, 404);
  EXPECT_TRUE(json::parse(nowhere->body)["error"]["message"].is_string());
}

TEST_F(Serve, StreamsTheSameReply) {
  json body = request();
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  const auto result = served_->post(body.dump());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->get_header_value("Content-Type"), "text/event-stream");
  std::string text;
  json last, usage;
  std::istringstream lines(result->body);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("data: {")) continue;
    const json event = json::parse(line.substr(6));
    if (event.contains("usage")) usage = event["usage"];
    if (event["choices"].empty()) continue;
    text += event["choices"][0]["delta"].value("content", "");
    last = event["choices"][0]["finish_reason"];
  }
  EXPECT_EQ(text, text_of(served_->ask(request())));
  EXPECT_EQ(last, "length");
  EXPECT_GT(usage.at("total_tokens"), 6);
  EXPECT_TRUE(result->body.ends_with("data: [DONE]\n\n"));
}

TEST_F(Serve, StopTextsEndTheReply) {
  const std::string whole = text_of(served_->ask(request()));
  ASSERT_GT(whole.size(), 3u);
  json body = request();
  body["stop"] = json::array({whole.substr(2, 2), "never said"});
  const json answer = served_->ask(body);
  EXPECT_EQ(text_of(answer), whole.substr(0, whole.find(whole.substr(2, 2))));
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "stop");
  body["stop"] = "never said";
  EXPECT_EQ(text_of(served_->ask(body)), whole);
}

TEST_F(Serve, GivesLogProbabilities) {
  json body = request();
  body["logprobs"] = true, body["top_logprobs"] = 3;
  const json content = served_->ask(body)["choices"][0]["logprobs"]["content"];
  ASSERT_FALSE(content.empty());
  double before = 0;
  for (const json& token : content) {
    EXPECT_LE(token["logprob"].get<double>(), 0);
    ASSERT_EQ(token["top_logprobs"].size(), 3u);
    EXPECT_GE(token["top_logprobs"][0]["logprob"].get<double>(), token["logprob"].get<double>());
    EXPECT_GE(token["top_logprobs"][0]["logprob"].get<double>(),
              token["top_logprobs"][2]["logprob"].get<double>());
    before += token["logprob"].get<double>();
  }
  // vLLM's way to score a given reply
  const std::string said = text_of(served_->ask(request()));
  json scored = request();
  scored["messages"].push_back({{"role", "assistant"}, {"content", said}});
  scored["continue_final_message"] = true, scored["add_generation_prompt"] = false;
  scored["prompt_logprobs"] = 0, scored["max_tokens"] = 1;
  const json answer = served_->ask(scored);
  double sum = 0;
  for (const json& entry : answer["prompt_logprobs"])
    for (const json& token : entry.is_object() ? entry : json::object())
      sum += token["logprob"].get<double>();
  EXPECT_NEAR(sum, before, 1e-3);
  EXPECT_TRUE(answer["prompt_logprobs"][0].is_null());
}

TEST_F(Serve, RefusesInOneSentence) {
  const auto refused = [&](const std::string& body, const std::string& words, int status = 400) {
    const auto result = served_->post(body);
    ASSERT_TRUE(result) << body.substr(0, 200);
    EXPECT_EQ(result->status, status) << body.substr(0, 200) << result->body.substr(0, 300);
    const json answer = json::parse(result->body, nullptr, false);
    ASSERT_TRUE(answer.is_object() && answer.contains("error")) << result->body.substr(0, 300);
    const std::string message = answer["error"]["message"];
    EXPECT_NE(message.find(words), std::string::npos) << message;
    EXPECT_TRUE(message.ends_with('.')) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  };
  const auto with = [&](const std::string& name, const json& value) {
    json body = request();
    body[name] = value;
    return body.dump();
  };
  const auto shows = [&](const json& part) {
    return json({{"messages", json::array({{{"role", "user"}, {"content", json::array({part})}}})}}).dump();
  };
  const auto picture = [&](const std::string& address) {
    return shows({{"type", "image_url"}, {"image_url", {{"url", address}}}});
  };
  refused("", "is not valid JSON");
  refused("{\"messages\": [", "is not valid JSON");
  refused(std::string(2000, '['), "deep");
  refused("[1]", "must be a JSON object");
  refused("{\"model\": \"tiny\"}", "messages must be a list");
  refused(with("messages", 3), "messages must be a list");
  refused(with("messages", json::array({1})), "must be an object");
  refused(with("messages", json::array({{{"role", "pope"}, {"content", "x"}}})), "must be system, user");
  refused(with("messages", json::array({{{"role", "system"}, {"content", "x"}}})), "no message of a user");
  refused(with("messages", json::array({{{"role", "assistant"}, {"content", "x"}}})), "must be of the user");
  refused(with("model", "gpt-4"), "there is no model 'gpt-4' here", 404);
  refused(with("model", 5), "model must be a text");
  refused(with("temperature", "hot"), "temperature must be a number");
  refused(with("temperature", -1), "temperature must be a number from 0 to 2");
  refused(with("max_tokens", 0), "max_tokens must be a whole number from 1 to 4096");
  refused(with("max_tokens", 1e9), "max_tokens");
  refused(with("seed", 1.5), "seed must be a whole number");
  refused(with("n", 2), "n must be 1");
  refused(with("presence_penalty", 1), "presence_penalty must be 0");
  refused(with("tools", json::array({1})), "tools is not supported");
  refused(with("stop", json::array({"a", ""})), "stop must be");
  refused(with("top_logprobs", 2), "top_logprobs needs logprobs");
  refused(with("stream", "yes"), "stream must be true or false");
  refused(picture("http://example.org/cat.png"), "this server fetches nothing");
  refused(picture("file:///etc/passwd"), "this server fetches nothing");
  refused(picture("data:image/png;base64,###"), "is not base64");
  refused(picture("data:image/svg+xml;base64,AAAA"), "data:image/png;base64");
  refused(picture("data:image/png;base64,AAAA"), "messages[0].content[0].image_url");
  refused(shows({{"type", "audio"}}), "is not read");
  std::string bomb("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0\x08\x02\0\0\0", 29);
  refused(picture("data:image/png;base64," + base64(bomb)), "image_url");
  refused(with("padding", std::string(2 << 20, 'x')), "too large", 413);
  refused(with("messages", json::array({{{"role", "user"}, {"content", std::string(20000, 'x')}}})), "");
  const auto typed = served_->post(request().dump(), "text/plain");
  EXPECT_EQ(typed->status, 400);
  EXPECT_NE(typed->body.find("Content-Type"), std::string::npos);
  EXPECT_FALSE(served_->ask(request())["choices"].empty()) << "and goes on";
}

TEST_F(Serve, EndsWithItsSocketClosed) {
  Served other(kModel);
  EXPECT_NE(other.said().find("serving clip_gqa at http://127.0.0.1:"), std::string::npos) << other.said();
  ASSERT_GT(other.port(), 0);
  other.child().signal(SIGINT);
  EXPECT_EQ(other.child().wait(), 0) << other.log();
  httplib::Client client("127.0.0.1", other.port());
  EXPECT_FALSE(client.Get("/health"));
}

TEST_F(Serve, RefusesAddressesAndWarnsOfOpenOnes) {
  expect_refused("serve --model " + kModel + " --port " + std::to_string(served_->port()),
                 "cannot be served");
  expect_refused("serve --model " + kModel + " --host 203.0.113.7 --port 0", "cannot be served");
  expect_refused("serve --model /no/such/folder", "/no/such/folder");
  EXPECT_EQ(served_->log().find("is no loopback address"), std::string::npos);
  const std::string out = at("open.out"), err = at("open.err");
  ChildProcess open({"serve", "--port", "0", "--host", "0.0.0.0", "--model", kModel}, out, err);
  EXPECT_TRUE(wait_until([&] { return std::filesystem::exists(out) && !read_file(out).empty(); }));
  EXPECT_NE(read_file(err).find("is no loopback address"), std::string::npos) << read_file(err);
  open.signal(SIGTERM);
  EXPECT_EQ(open.wait(), 0);
}

}  // namespace
}  // namespace hijack::serve_endpoint_test
