#include "models/endpoint/chat_body.h"

#include <nlohmann/json.hpp>

#include "models/endpoint/scoring.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/sha256.h"

namespace hijack {

using nlohmann::json;

std::string data_url(const Tensor& image) {
  return image.defined() ? "data:image/png;base64," + base64(encode_png(image)) : "";
}

json chat_body(const std::string& model, const Query& query, const std::string& image_url,
               const GenerateOptions& options, uint64_t seed) {
  json messages = json::array();
  bool shown = image_url.empty();
  const auto add = [&](const char* role, const std::string& text) {
    json content = text;
    if (!shown && std::string_view(role) == "user") {
      content = json::array(
          {{{"type", "image_url"}, {"image_url", {{"url", image_url}}}}, {{"type", "text"}, {"text", text}}});
      shown = true;
    }
    messages.push_back({{"role", role}, {"content", std::move(content)}});
  };
  if (!query.system.empty()) add("system", query.system);
  for (const Turn& turn : query.earlier) add("user", turn.user), add("assistant", turn.assistant);
  add("user", query.prompt);
  json body = {{"model", model},
               {"messages", std::move(messages)},
               {"max_tokens", options.max_new_tokens},
               {"temperature", options.temperature},
               {"top_p", options.top_p},
               {"seed", seed >> 33}};
  if (options.top_k > 0) body["top_k"] = options.top_k;
  return body;
}

json scoring_body(const std::string& model, const Query& query, const std::string& image_url,
                  const std::string& reply) {
  json body = chat_body(model, query, image_url, {.max_new_tokens = 1}, 0);
  body["messages"].push_back({{"role", "assistant"}, {"content", reply}});
  body["continue_final_message"] = true;
  body["add_generation_prompt"] = false;
  body["prompt_logprobs"] = 0;
  return body;
}

json first_token_body(const std::string& model, const Query& query, const std::string& image_url) {
  json body = chat_body(model, query, image_url, {.max_new_tokens = 1}, 0);
  body["logprobs"] = true;
  body["top_logprobs"] = 20;
  return body;
}

Generated reply_of(const json& answer) {
  const json* choice = first_choice(answer);
  if (choice && choice->contains("message") && (*choice)["message"].is_object()) {
    const json& message = (*choice)["message"];
    if (message.contains("content") && message["content"].is_string())
      return {message["content"].get<std::string>(), choice->value("finish_reason", json()) == "length"};
  }
  throw Error("it answers without choices[0].message.content");
}

}  // namespace hijack
