#include "defenses/endpoint/endpoint.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "defenses/endpoint/http.h"
#include "defenses/parameters.h"
#include "src/base/environment.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/sha256.h"
#include "src/base/unicode.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A folder of this user alone below the temporary folder, which all users share: anybody could have made one
/// of that name, to read the prompts or to plant answers. Throws Error.
fs::path private_folder() {
  const fs::path folder = fs::temp_directory_path() / ("hijack-" + std::to_string(geteuid()));
  struct stat found {};
  const bool made = ::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST;
  const bool ours = made && ::lstat(folder.c_str(), &found) == 0 && S_ISDIR(found.st_mode) &&
                    found.st_uid == geteuid() && (found.st_mode & 077) == 0;
  if (!ours)
    throw Error(
        "The folder '" + folder.string() +
        "' for the answers of the endpoint is not this user's alone; set HOME, or name another folder "
        "by cache=DIR.");
  return folder;
}

fs::path cache_folder(const std::string& given) {
  if (!given.empty()) return given;
  if (!environment("HIJACK_CACHE").empty()) return environment("HIJACK_CACHE");
  const std::string home = environment("HOME");
  return home.empty() ? private_folder() : fs::path(home) / ".cache" / "hijack";
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

constexpr const char* kScoring =
    "scoring prompts needs POST /completions with echo and logprobs, which vLLM and llama-cpp-python offer, "
    "llama.cpp's own server and most services do not";

/// A server that says why it does not echo; older ones of llama.cpp do with status 500.
bool refuses_to_echo(const std::string& path, const HttpAnswer& answer) {
  const auto says = [&](const char* word) { return answer.body.find(word) != std::string::npos; };
  return path == "/completions" && answer.status >= 400 && (says("echo") || says("logprobs"));
}

/// The lists of choices[0].logprobs of an answer that echoes `prompt`. Throws Error for one that does not.
const json& echoed_logprobs(const json& answer, const std::string& prompt) {
  const json* choice = first_choice(answer);
  const bool scored = choice && choice->contains("logprobs") && (*choice)["logprobs"].is_object() &&
                      (*choice)["logprobs"].contains("token_logprobs") &&
                      (*choice)["logprobs"]["token_logprobs"].is_array();
  if (!scored)
    throw Error(std::string("it does not score prompts (choices[0].logprobs.token_logprobs is missing): ") +
                kScoring);
  const json& all = (*choice)["logprobs"];
  // The first token of the prompt has no logprob: null. A server that ignores echo scores what it wrote.
  const json& values = all["token_logprobs"];
  const bool marked = values.empty() || values[0].is_null();
  const bool repeated = choice->contains("text") && (*choice)["text"].is_string() &&
                        (*choice)["text"].get<std::string>().starts_with(prompt);
  if (!marked && !repeated)
    throw Error(std::string("it does not score prompts (only what it writes itself): ") + kScoring);
  return all;
}

/// How many of the `n` scored tokens belong to the prompt; behind them stands what the server wrote.
size_t prompt_tokens(const json& answer, const json& all, size_t n, const std::string& prompt) {
  const json usage = answer.value("usage", json());
  const auto count = [&](const char* name) -> std::optional<size_t> {
    if (!usage.is_object() || !usage.contains(name) || !usage[name].is_number_unsigned()) return {};
    return usage[name].get<size_t>();
  };
  // Its own count, where it fits the list: the tokens' texts add up to other lengths (<s>, halves of
  // characters), so that offsets may be off.
  const auto read = count("prompt_tokens"), written = count("completion_tokens");
  if (read && written && *read <= n && *written == n - *read) return *read;
  const json offsets = all.value("text_offset", json());
  if (!offsets.is_array()) return n - std::min<size_t>(n, 1);  // one token was asked for
  const size_t length = unicode::count(prompt);
  size_t behind = 0;
  for (size_t i = 1; i < std::min(n, offsets.size()); ++i)
    behind += offsets[i].is_number_unsigned() && offsets[i].get<size_t>() >= length ? 1 : 0;
  return n - behind;
}

/// Log probabilities of the tokens of an echoed prompt but the first.
std::vector<double> logprobs_of(const json& answer, const std::string& prompt) {
  const json& all = echoed_logprobs(answer, prompt);
  const json& values = all["token_logprobs"];
  const size_t end = prompt_tokens(answer, all, values.size(), prompt);
  std::vector<double> logprobs;
  for (size_t i = 1; i < end; ++i) {
    if (!values[i].is_number()) throw Error("it answers with a log probability that is no number");
    logprobs.push_back(values[i].get<double>());
  }
  return logprobs;
}

/// A key or password must not be readable on the way to another machine.
void check_secrecy(const EndpointAddress& address, bool insecure, const std::string& what) {
  if (insecure || address.server.starts_with("https://") || is_loopback(address.host)) return;
  throw Error("The " + what + " would travel to the endpoint " + address.shown +
              " over plain http, where all on the way can read it: use https, unset it, or force it with "
              "insecure=true.");
}

}  // namespace

void EndpointParameters::check() const {
  check_range("timeout", timeout, 0.1, 3600);
  check_range("retries", static_cast<double>(retries), 0, 20);
  if (!endpoint.empty()) parse_address(endpoint);
}

void EndpointParameters::hide_login() {
  endpoint = hijack::hide_login(endpoint);
}

EndpointModel::EndpointModel(const EndpointParameters& parameters, double first_wait)
    : parameters_(parameters), first_wait_(first_wait) {
  parameters_.check();
  parameters_.hide_login();
  address_ = parse_address(parameters_.endpoint);
  login_ = login_of_address(parameters_.endpoint);
  key_ = environment("HIJACK_API_KEY");
  if (login_.empty() && key_.empty()) login_ = environment("HIJACK_API_LOGIN");
  const bool by_login = !login_.empty();
  if (by_login || !key_.empty())
    check_secrecy(address_, parameters_.insecure, by_login ? "password" : "key in $HIJACK_API_KEY");
  cache_ = cache_folder(parameters_.cache);
}

const Tokenizer& EndpointModel::tokenizer() const {
  throw Error("The endpoint " + parameters_.endpoint + " has no tokenizer that hijack could use.");
}

std::string EndpointModel::fetch(const std::string& path, const std::string& body) const {
  const HttpRequest request{address_.server, address_.base + path, body, key_, login_, parameters_.timeout};
  HttpAnswer answer;
  double wait = first_wait_;
  for (int64_t tries = 0; tries <= parameters_.retries; ++tries, wait *= 2) {
    if (tries > 0) std::this_thread::sleep_for(std::chrono::duration<double>(std::min(wait / 2, 60.0)));
    answer = post_json(request);
    if (!may_recover(answer) || refuses_to_echo(path, answer)) break;
  }
  const std::string server = "The endpoint " + parameters_.endpoint;
  if (answer.status == 200) return answer.body;
  if (answer.status == 0)
    throw Error(server + " does not answer" + tried(parameters_.retries) + " (" + answer.problem +
                "): start it, or name another with endpoint=ADDRESS.");
  const std::string status = "HTTP status " + std::to_string(answer.status);
  if (refuses_to_echo(path, answer))
    throw Error(server + " does not score prompts (" + status + "): " + kScoring + ".");
  throw Error(server + " refuses with " + status + (may_recover(answer) ? tried(parameters_.retries) : "") +
              ": check its address, endpoint_model and $HIJACK_API_KEY" +
              (path == "/completions" ? std::string("; ") + kScoring : "") + ".");
}

json EndpointModel::ask(const std::string& path, const json& request,
                        const std::function<void(const json&)>& check_answer) const {
  const std::string body = request.dump(-1, ' ', false, json::error_handler_t::replace);
  const fs::path kept = cache_ / (sha256(address_.server + address_.base + path + "\n" + body) + ".json");
  const bool known = fs::exists(kept);
  const std::string text = known ? read_file(kept) : fetch(path, body);
  json answer;
  try {
    answer = parse_json(text, "its answer");
    check_answer(answer);
  } catch (const Error& error) {
    throw Error("The answer of the endpoint " + parameters_.endpoint +
                " cannot be understood: " + error.what() + ".");
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
  const json answer = ask("/completions", request, [&](const json& one) { logprobs_of(one, text); });
  std::vector<float> nll;
  for (const double logprob : logprobs_of(answer, text)) nll.push_back(static_cast<float>(-logprob));
  return at::tensor(nll, at::kFloat);
}

std::vector<Generated> EndpointModel::generate(std::span<const Query> queries,
                                               const GenerateOptions& options) const {
  std::vector<Generated> replies;
  for (size_t i = 0; i < queries.size(); ++i) {
    const Query& query = queries[i];
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
                          {"seed", (options.seeds.empty() ? options.seed : options.seeds.at(i)) >> 33}};
    replies.push_back(
        message_of(ask("/chat/completions", request, [](const json& one) { message_of(one); })));
  }
  return replies;
}

}  // namespace hijack
