#include "src/serve/chat_request.h"

#include <cmath>

#include "src/base/json.h"
#include "src/serve/message_parts.h"
#include "src/serve/request_error.h"

namespace hijack {
namespace {

using nlohmann::json;

/// The parameters of a request by name; null counts as left out.
class Parameters {
 public:
  explicit Parameters(const json& object) : object_(object) {
    if (!object.is_object()) throw RequestError("the request must be a JSON object.");
  }

  const json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  double number(const char* name, double otherwise, double low, double high) const {
    const json* value = find(name);
    if (value == nullptr) return otherwise;
    const double given = value->is_number() ? value->get<double>() : std::nan("");
    if (!(given >= low && given <= high)) refuse(name, "a number", low, high);
    return given;
  }
  int64_t integer(const char* name, int64_t otherwise, int64_t low, int64_t high) const {
    const json* value = find(name);
    if (value == nullptr) return otherwise;
    const bool whole = value->is_number_integer() &&
                       !(value->is_number_unsigned() && value->get<uint64_t>() > uint64_t{INT64_MAX});
    if (!whole || value->get<int64_t>() < low || value->get<int64_t>() > high)
      refuse(name, "a whole number", static_cast<double>(low), static_cast<double>(high));
    return value->get<int64_t>();
  }
  bool boolean(const char* name, bool otherwise) const {
    const json* value = find(name);
    if (value == nullptr) return otherwise;
    if (!value->is_boolean()) throw RequestError(std::string(name) + " must be true or false.", name);
    return value->get<bool>();
  }
  std::string text(const char* name) const {
    const json* value = find(name);
    if (value == nullptr) return {};
    if (!value->is_string()) throw RequestError(std::string(name) + " must be a text.", name);
    return value->get<std::string>();
  }

 private:
  [[noreturn]] static void refuse(const char* name, const char* kind, double low, double high) {
    char range[96];
    std::snprintf(range, sizeof range, " from %.15g to %.15g.", low, high);
    throw RequestError(std::string(name) + " must be " + kind + range, name);
  }

  const json& object_;
};

/// What other servers can do and this one cannot: leaving it out silently would change the reply.
void refuse_unsupported(const Parameters& parameters) {
  if (parameters.integer("n", 1, 1, 128) != 1)
    throw RequestError("n must be 1: one reply is given to a request.", "n");
  for (const char* name : {"presence_penalty", "frequency_penalty"})
    if (parameters.number(name, 0, -2, 2) != 0)
      throw RequestError(std::string(name) + " must be 0: the samplers have no penalties.", name);
  for (const char* name : {"logit_bias", "tools", "functions", "response_format"}) {
    const json* value = parameters.find(name);
    const bool harmless = value == nullptr || (value->is_structured() && value->empty()) ||
                          (value->is_object() && value->value("type", json()) == "text");
    if (!harmless) throw RequestError(std::string(name) + " is not supported.", name);
  }
}

std::vector<std::string> stop_texts(const Parameters& parameters) {
  constexpr size_t kMost = 4, kLongest = 256;
  const json* value = parameters.find("stop");
  if (value == nullptr) return {};
  std::vector<std::string> texts;
  const json list = value->is_string() ? json::array({*value}) : *value;
  const auto good = [](const json& one) {
    return one.is_string() && !one.get_ref<const std::string&>().empty() &&
           one.get_ref<const std::string&>().size() <= kLongest;
  };
  if (!list.is_array() || list.size() > kMost || !std::all_of(list.begin(), list.end(), good))
    throw RequestError("stop must be a text or a list of at most 4, each of 1 to 256 bytes.", "stop");
  for (const json& one : list) texts.push_back(one.get<std::string>());
  return texts;
}

GenerateOptions sampling(const Parameters& parameters, const ServeLimits& limits) {
  GenerateOptions options;
  const int64_t usual = std::min(limits.usual_new_tokens, limits.max_new_tokens);
  const int64_t older = parameters.integer("max_tokens", usual, 1, limits.max_new_tokens);
  options.max_new_tokens = parameters.integer("max_completion_tokens", older, 1, limits.max_new_tokens);
  options.temperature = parameters.number("temperature", 1, 0, 2);
  options.top_p = parameters.number("top_p", 1, 0, 1);
  options.top_k = std::max<int64_t>(0, parameters.integer("top_k", 0, -1, 1'000'000));
  const json* seed = parameters.find("seed");
  if (seed != nullptr && !seed->is_number_integer())
    throw RequestError("seed must be a whole number.", "seed");
  if (seed != nullptr)
    options.seed =
        seed->is_number_unsigned() ? seed->get<uint64_t>() : static_cast<uint64_t>(seed->get<int64_t>());
  return options;
}

/// Puts messages into a query: an optional system text, then users and assistant in turn, a user last. The
/// picture stands where chat templates have it, in the first turn.
void converse(ChatRequest& request, std::vector<ChatMessage> messages) {
  size_t next = 0;
  if (messages[0].role == "system") request.query.system = messages[next++].text;
  if (next == messages.size()) throw RequestError("messages has no message of a user.", "messages");
  const size_t first = next;
  for (size_t i = first; i < messages.size(); ++i) {
    const bool user = (i - first) % 2 == 0;
    if (messages[i].role != (user ? "user" : "assistant"))
      throw RequestError("messages[" + std::to_string(i) + "] must be of the " +
                             (user ? "user" : "assistant") +
                             ": after one system message, user and assistant take turns.",
                         "messages");
    if (i > first && !messages[i].images.empty())
      throw RequestError(
          "messages[" + std::to_string(i) + "] shows a picture: only the first message of the user may.",
          "messages");
  }
  if (messages.back().role != "user") throw RequestError("the last message must be of the user.", "messages");
  if (messages[first].images.size() > 1)
    throw RequestError(
        "only one picture can be shown, not " + std::to_string(messages[first].images.size()) + ".",
        "messages");
  if (!messages[first].images.empty()) request.image = messages[first].images[0];
  for (; next + 1 < messages.size(); next += 2)
    request.query.earlier.push_back({messages[next].text, messages[next + 1].text});
  request.query.prompt = messages.back().text;
}

/// vLLM's way to have a given reply scored: it is the last message, to be continued.
void read_scoring(ChatRequest& request, const Parameters& parameters, std::vector<ChatMessage>& messages) {
  const bool continued = parameters.boolean("continue_final_message", false);
  const bool scores = parameters.find("prompt_logprobs") != nullptr;
  if (!continued && !scores) return;
  const bool prompted = parameters.boolean("add_generation_prompt", !continued);
  if (!continued || !scores || prompted)
    throw RequestError(
        "prompt_logprobs scores a given reply: with continue_final_message true and add_generation_prompt "
        "false, and only so.",
        "prompt_logprobs");
  if (messages.back().role != "assistant" || messages.back().text.empty())
    throw RequestError("prompt_logprobs needs a last message of the assistant: the reply that is scored.",
                       "messages");
  if (request.stream) throw RequestError("prompt_logprobs cannot be streamed.", "stream");
  request.scores_reply = true;
  request.prompt_logprobs = parameters.integer("prompt_logprobs", 0, 0, 20);
  request.scored_reply = messages.back().text;
  messages.pop_back();
  if (messages.empty()) throw RequestError("messages has no message of a user.", "messages");
}

json parsed(std::string_view body) {
  try {
    return parse_json(body, "the request");
  } catch (const Error& error) {
    throw RequestError(error.what());
  }
}

}  // namespace

ChatRequest parse_chat_request(std::string_view body, const ServeLimits& limits) {
  const json object = parsed(body);
  const Parameters parameters(object);
  ChatRequest request;
  request.model = parameters.text("model");
  refuse_unsupported(parameters);
  request.options = sampling(parameters, limits);
  request.stop = stop_texts(parameters);
  request.stream = parameters.boolean("stream", false);
  if (const json* options = parameters.find("stream_options"))
    request.usage_in_stream = Parameters(*options).boolean("include_usage", false);
  request.logprobs = parameters.boolean("logprobs", false);
  request.top_logprobs = parameters.integer("top_logprobs", 0, 0, 20);
  if (request.top_logprobs > 0 && !request.logprobs)
    throw RequestError("top_logprobs needs logprobs true.", "top_logprobs");
  const json* messages = parameters.find("messages");
  std::vector<ChatMessage> read = read_messages(messages != nullptr ? *messages : json(), limits);
  read_scoring(request, parameters, read);
  converse(request, std::move(read));
  return request;
}

}  // namespace hijack
