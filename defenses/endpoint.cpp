#include "defenses/endpoint.h"

#include <cstdlib>
#include <thread>

#include "defenses/http.h"
#include "defenses/parameters.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/sha256.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

fs::path cache_folder(const std::string& given) {
  if (!given.empty()) return given;
  if (!variable("HIJACK_CACHE").empty()) return variable("HIJACK_CACHE");
  const std::string home = variable("HOME");
  return (home.empty() ? fs::temp_directory_path() : fs::path(home) / ".cache") / "hijack";
}

/// Worth another try: no answer, too busy, or the server's own mistake.
bool may_recover(const HttpAnswer& answer) {
  return answer.status == 0 || answer.status == 408 || answer.status == 429 || answer.status >= 500;
}

std::string tried(int64_t retries) {
  return retries == 0 ? "" : " after " + std::to_string(retries + 1) + " tries";
}

const json* first_choice(const json& answer) {
  if (!answer.is_object() || !answer.contains("choices")) return nullptr;
  const json& choices = answer["choices"];
  return choices.is_array() && !choices.empty() && choices[0].is_object() ? &choices[0] : nullptr;
}

/// A chat completion; cut where the server says that it reached max_tokens. Throws Error.
Generated message_of(const json& answer) {
  const json* choice = first_choice(answer);
  if (choice && choice->contains("message") && (*choice)["message"].is_object()) {
    const json& message = (*choice)["message"];
    if (message.contains("content") && message["content"].is_string())
      return {message["content"].get<std::string>(), choice->value("finish_reason", json()) == "length"};
  }
  throw Error("it answers without choices[0].message.content");
}

struct Scored {
  std::vector<double> logprobs;  ///< of the tokens of the text but the first
};

/// Log probabilities of an echoed text of `length` bytes; what the server wrote behind it is left out.
Scored logprobs_of(const json& answer, size_t length) {
  const json* choice = first_choice(answer);
  const json none;
  const json& all = choice && choice->contains("logprobs") ? (*choice)["logprobs"] : none;
  const bool complete = all.is_object() && all.contains("token_logprobs") && all["token_logprobs"].is_array();
  if (!complete)
    throw Error("it answers without choices[0].logprobs.token_logprobs: it does not score prompts");
  const json& values = all["token_logprobs"];
  const json& offsets =
      all.contains("text_offset") && all["text_offset"].is_array() ? all["text_offset"] : none;
  Scored scored;
  for (size_t i = 1; i < values.size(); ++i) {
    if (!values[i].is_number()) throw Error("it answers with a log probability that is no number");
    const bool behind = offsets.is_array() ? i < offsets.size() && offsets[i].is_number_unsigned() &&
                                                 offsets[i].get<size_t>() >= length
                                           : i + 1 == values.size();  // one token was asked for
    if (!behind) scored.logprobs.push_back(values[i].get<double>());
  }
  return scored;
}

}  // namespace

void EndpointParameters::check() const {
  check_range("timeout", timeout, 0.1, 3600);
  check_range("retries", static_cast<double>(retries), 0, 20);
  const bool http = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  if (!endpoint.empty() && (!http || endpoint.find_first_of(" \t\r\n") != std::string::npos))
    throw Error("Defense parameter 'endpoint' must be an address like http://127.0.0.1:8080/v1, not '" +
                endpoint.substr(0, 200) + "'.");
}

EndpointModel::EndpointModel(const EndpointParameters& parameters, double first_wait)
    : parameters_(parameters), first_wait_(first_wait), cache_(cache_folder(parameters.cache)) {
  parameters_.check();
  const size_t host = parameters.endpoint.find("://") + 3;
  const size_t slash = parameters.endpoint.find('/', host);
  server_ = parameters.endpoint.substr(0, slash);
  base_ = slash == std::string::npos ? "" : parameters.endpoint.substr(slash);
  while (base_.ends_with('/')) base_.pop_back();
  if (server_.size() <= host) throw Error("The endpoint '" + parameters.endpoint + "' names no server.");
}

const Tokenizer& EndpointModel::tokenizer() const {
  throw Error("The endpoint " + parameters_.endpoint + " has no tokenizer that hijack could use.");
}

std::string EndpointModel::fetch(const std::string& path, const std::string& body) const {
  const HttpRequest request{server_, base_ + path, body, variable("HIJACK_API_KEY"), parameters_.timeout};
  HttpAnswer answer;
  double wait = first_wait_;
  for (int64_t tries = 0; tries <= parameters_.retries; ++tries, wait *= 2) {
    if (tries > 0) std::this_thread::sleep_for(std::chrono::duration<double>(std::min(wait / 2, 60.0)));
    answer = post_json(request);
    if (!may_recover(answer)) break;
  }
  if (answer.status == 200) return answer.body;
  if (answer.status == 0)
    throw Error("The endpoint " + parameters_.endpoint + " does not answer" + tried(parameters_.retries) +
                " (" + answer.problem + "): start it, or name another with endpoint=ADDRESS.");
  throw Error("The endpoint " + parameters_.endpoint + " refuses with HTTP status " +
              std::to_string(answer.status) + (may_recover(answer) ? tried(parameters_.retries) : "") +
              ": check its address, endpoint_model and $HIJACK_API_KEY.");
}

json EndpointModel::ask(const std::string& path, const json& request,
                        void (*check_answer)(const json&)) const {
  const std::string body = request.dump(-1, ' ', false, json::error_handler_t::replace);
  const fs::path kept = cache_ / (sha256(server_ + base_ + path + "\n" + body) + ".json");
  const bool known = fs::exists(kept);
  const std::string text = known ? read_file(kept) : fetch(path, body);
  json answer;
  try {
    answer = parse_json(text, "its answer");
    check_answer(answer);
  } catch (const Error& error) {
    throw Error("The endpoint " + parameters_.endpoint + " cannot be understood: " + error.what() + ".");
  }
  if (known) return answer;
  std::error_code failed;
  fs::create_directories(cache_, failed);
  if (failed)
    throw Error("The folder '" + cache_.string() +
                "' for the answers of the endpoint cannot be written; name another "
                "by cache=DIR.");
  write_file(kept, answer.dump());
  return answer;
}

Tensor EndpointModel::prompt_nll(const std::string& text) const {
  const json request = {{"model", parameters_.endpoint_model},
                        {"prompt", text},
                        {"echo", true},
                        {"logprobs", 1},
                        {"max_tokens", 1},
                        {"temperature", 0}};
  const json answer = ask("/completions", request, [](const json& one) { logprobs_of(one, 0); });
  std::vector<float> nll;
  for (const double logprob : logprobs_of(answer, text.size()).logprobs)
    nll.push_back(static_cast<float>(-logprob));
  return at::tensor(nll, at::kFloat);
}

std::vector<Generated> EndpointModel::generate(std::span<const Query> queries,
                                               const GenerateOptions& options) const {
  std::vector<Generated> replies;
  for (const Query& query : queries) {
    json messages = json::array();
    const auto add = [&](const char* role, const std::string& content) {
      messages.push_back({{"role", role}, {"content", content}});
    };
    if (!query.system.empty()) add("system", query.system);
    for (const Turn& turn : query.earlier) add("user", turn.user), add("assistant", turn.assistant);
    add("user", query.prompt);
    // Seeds of JSON numbers are exact up to 2^53 only.
    const json request = {{"model", parameters_.endpoint_model},
                          {"messages", messages},
                          {"max_tokens", options.max_new_tokens},
                          {"temperature", options.temperature},
                          {"top_p", options.top_p},
                          {"seed", options.seed >> 33}};
    replies.push_back(
        message_of(ask("/chat/completions", request, [](const json& one) { message_of(one); })));
  }
  return replies;
}

std::shared_ptr<const LanguageModel> endpoint_or(const EndpointParameters& parameters,
                                                 std::shared_ptr<const LanguageModel> otherwise) {
  if (parameters.endpoint.empty()) return otherwise;
  return std::make_shared<const EndpointModel>(parameters);
}

}  // namespace hijack
