#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "src/base/base64.h"
#include "src/base/decode_image.h"
#include "src/base/tensor.h"
#include "tests/support/local_server.h"

namespace hijack::support {

/// A model behind an API that gives replies, and no log probabilities: what it says is up to the test.
class ReplyingVictim {
 public:
  /// How much brighter the upper half of the picture is than the lower one, less what that is of the first
  /// picture that came, in 1/255.
  using Script = std::function<std::string(double light, const std::string& prompt)>;

  explicit ReplyingVictim(Script script) : script_(std::move(script)) {
    server_.answer(
        "/v1/chat/completions",
        [this](const httplib::Request& request, httplib::Response& response) { answer(request, response); });
  }
  void stop() { server_.stop(); }

  std::string url() const { return server_.url(); }
  /// How often each request came.
  std::map<std::string, int> bodies() const {
    const std::scoped_lock lock(mutex_);
    return bodies_;
  }

  std::atomic<int> calls = 0, scoring_calls = 0;
  std::atomic<int> refuses_scores_with = 0;  ///< HTTP status; 0 = it replies as if it were not asked for them
  std::function<void(int number)> on_call = {};

 private:
  void answer(const httplib::Request& request, httplib::Response& response) {
    const int number = ++calls;
    const auto body = nlohmann::json::parse(request.body, nullptr, false);
    const bool scores = body.contains("prompt_logprobs") || body.contains("logprobs");
    scoring_calls += scores;
    if (on_call) on_call(number);
    std::string prompt;
    double light = 0;
    {
      const std::scoped_lock lock(mutex_);
      ++bodies_[request.body];
      for (const auto& message : body["messages"]) {
        if (message["role"] != "user" || !message["content"].is_array()) continue;
        light = light_of(message["content"][0]["image_url"]["url"].get<std::string>());
        prompt = message["content"][1]["text"].get<std::string>();
      }
      if (!first_) first_ = light;
      light -= *first_;
    }
    if (scores && refuses_scores_with > 0) {
      response.status = refuses_scores_with;
      response.set_content(R"({"error": {"message": "Unknown parameter: logprobs"}})", "application/json");
      return;
    }
    const nlohmann::json choice = {{"message", {{"role", "assistant"}, {"content", script_(light, prompt)}}},
                                   {"finish_reason", "stop"}};
    response.set_content(
        nlohmann::json({{"model", "replier"}, {"choices", nlohmann::json::array({choice})}}).dump(),
        "application/json");
  }

  static double light_of(const std::string& url) {
    const auto bytes = base64_decoded(std::string_view(url).substr(url.find(',') + 1));
    const Tensor image = decode_image(bytes.value(), "the picture that was sent");
    const int64_t half = image.size(2) / 2;
    return 255 * (image.narrow(2, 0, half).mean() - image.narrow(2, half, half).mean()).item<double>();
  }

  Script script_;
  mutable std::mutex mutex_;
  std::optional<double> first_;
  std::map<std::string, int> bodies_;
  LocalServer server_;
};

}  // namespace hijack::support
