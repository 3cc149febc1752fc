#include "src/serve/chat_answer.h"

namespace hijack {
namespace {

using nlohmann::json;

std::string written(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string event(const json& value) {
  return "data: " + written(value) + "\n\n";
}

json token_json(const ScoredToken& token) {
  json bytes = json::array();
  for (const char c : token.text) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", token.text}, {"logprob", token.logprob}, {"bytes", bytes}};
}

json logprobs_json(const ChatRequest& request, const Completion& done) {
  if (!request.logprobs) return nullptr;
  json content = json::array();
  for (const ScoredToken& token : done.logprobs) {
    json one = token_json(token);
    one["top_logprobs"] = json::array();
    for (const ScoredToken& other : token.top) one["top_logprobs"].push_back(token_json(other));
    content.push_back(std::move(one));
  }
  return {{"content", content}};
}

json usage_json(const Completion& done) {
  if (done.prompt_tokens < 0) return nullptr;
  return {{"prompt_tokens", done.prompt_tokens},
          {"completion_tokens", done.completion_tokens},
          {"total_tokens", done.prompt_tokens + done.completion_tokens}};
}

json prompt_logprobs_json(const Completion& done) {
  json list = json::array();
  for (int64_t i = 0; i < done.prompt_tokens; ++i) list.push_back(nullptr);
  for (const ScoredToken& token : done.scored) {
    json entry = json::object();
    const auto add = [&](const ScoredToken& one) {
      entry[std::to_string(one.id)] = {
          {"logprob", one.logprob}, {"rank", one.rank}, {"decoded_token", one.text}};
    };
    for (const ScoredToken& other : token.top) add(other);
    add(token);
    list.push_back(std::move(entry));
  }
  return list;
}

json base(const AnswerHead& head, const char* object) {
  return {{"id", head.id}, {"object", object}, {"created", head.created}, {"model", head.model}};
}

json chunk(const AnswerHead& head, const json& delta, const json& finish, const json& logprobs = nullptr) {
  json value = base(head, "chat.completion.chunk");
  value["choices"] =
      json::array({{{"index", 0}, {"delta", delta}, {"logprobs", logprobs}, {"finish_reason", finish}}});
  return value;
}

const char* finish_of(const Completion& done) {
  return done.cut ? "length" : "stop";
}

}  // namespace

std::string models_answer(const std::string& model) {
  const json entry = {{"id", model}, {"object", "model"}, {"created", 0}, {"owned_by", "hijack"}};
  return written({{"object", "list"}, {"data", json::array({entry})}});
}

std::string AnswerHead::completion(const ChatRequest& request, const Completion& done) const {
  json value = base(*this, "chat.completion");
  value["choices"] = json::array({{{"index", 0},
                                   {"message", {{"role", "assistant"}, {"content", done.text}}},
                                   {"logprobs", logprobs_json(request, done)},
                                   {"finish_reason", finish_of(done)}}});
  value["usage"] = usage_json(done);
  if (request.scores_reply) value["prompt_logprobs"] = prompt_logprobs_json(done);
  return written(value);
}

std::string AnswerHead::first_event() const {
  return event(chunk(*this, {{"role", "assistant"}, {"content", ""}}, nullptr));
}

std::string AnswerHead::text_event(std::string_view piece) const {
  return event(chunk(*this, {{"content", piece}}, nullptr));
}

std::string AnswerHead::last_events(const ChatRequest& request, const Completion& done) const {
  std::string events = event(chunk(*this, json::object(), finish_of(done), logprobs_json(request, done)));
  if (request.usage_in_stream) {
    json value = base(*this, "chat.completion.chunk");
    value["choices"] = json::array();
    value["usage"] = usage_json(done);
    events += event(value);
  }
  return events + "data: [DONE]\n\n";
}

std::string error_event(const std::string& body) {
  return "data: " + body + "\n\ndata: [DONE]\n\n";
}

}  // namespace hijack
