#include "models/endpoint/client.h"

#include <condition_variable>
#include <nlohmann/json.hpp>
#include <thread>

#include "models/endpoint/scoring.h"
#include "src/base/environment.h"
#include "src/base/json.h"
#include "src/base/sha256.h"
#include "src/base/unicode.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr double kLongestWait = 60;

/// Worth another try: no answer, too busy, or the server's own mistake.
bool may_recover(const HttpAnswer& answer) {
  return answer.status == 0 || answer.status == 408 || answer.status == 429 || answer.status >= 500;
}

std::string tried(int64_t retries) {
  return retries == 0 ? "" : " after " + std::to_string(retries + 1) + " tries";
}

/// Another request to the same address may be answered.
bool refuses_this_request(int status) {
  return status >= 400 && status < 500 && status != 401 && status != 404 && status != 408 && status != 429;
}

/// A key or password must not be readable on the way to another machine.
void check_secrecy(const EndpointAddress& address, bool insecure, const std::string& what) {
  if (insecure || address.server.starts_with("https://") || is_loopback(address.host)) return;
  throw Error("The " + what + " would travel to the endpoint " + address.shown +
              " over plain http, where all on the way can read it: use https, unset it, or force it with "
              "insecure=true (--insecure).");
}

/// Ends what AnswerCache::find_or_begin began.
struct Begun {
  AnswerCache& cache;
  const std::string& key;
  ~Begun() { cache.done(key); }
};

}  // namespace

EndpointClient::EndpointClient(const EndpointParameters& parameters, AskingLimits limits)
    : parameters_(parameters), limits_(std::move(limits)) {
  parameters_.check();
  parameters_.hide_login();
  address_ = parse_address(parameters_.endpoint);
  login_ = login_of_address(parameters_.endpoint);
  key_ = environment("HIJACK_API_KEY");
  if (login_.empty() && key_.empty()) login_ = environment("HIJACK_API_LOGIN");
  const bool by_login = !login_.empty();
  if (by_login || !key_.empty())
    check_secrecy(address_, parameters_.insecure, by_login ? "password" : "key in $HIJACK_API_KEY");
  cache_ = std::make_unique<AnswerCache>(parameters_.cache);
}

void EndpointClient::wait(double seconds) const {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any stopped;
  stopped.wait_for(lock, limits_.stop, std::chrono::duration<double>(seconds), [] { return false; });
}

HttpAnswer EndpointClient::tries(const std::string& path, const HttpRequest& request) const {
  HttpAnswer answer;
  double pause = limits_.first_wait;
  for (int64_t number = 0; number <= parameters_.retries; ++number, pause *= 2) {
    if (number > 0) wait(std::min(std::max(pause / 2, answer.retry_after), kLongestWait));
    if (limits_.stop.stop_requested()) throw AskingStopped("Stopped before everything was asked.");
    if (limits_.budget) limits_.budget->take();
    answer = post_json(request);
    if (!may_recover(answer) || refuses_to_echo(path, answer)) break;
  }
  return answer;
}

void EndpointClient::explain(const std::string& path, const HttpAnswer& answer) const {
  const std::string server = "The endpoint " + parameters_.endpoint;
  if (answer.status == 0)
    throw Error(server + " does not answer" + tried(parameters_.retries) + " (" + answer.problem +
                "): start it, or give another address.");
  const std::string status = "HTTP status " + std::to_string(answer.status);
  if (refuses_to_echo(path, answer))
    throw Error(server + " does not score prompts (" + status + "): " + kScoring + ".");
  const std::string refusal =
      server + " refuses with " + status + (may_recover(answer) ? tried(parameters_.retries) : "") +
      said_in_error(answer.body) + ": check its address, endpoint_model and $HIJACK_API_KEY" +
      (path == "/completions" ? std::string("; ") + kScoring : "") + ".";
  if (refuses_this_request(answer.status)) throw RequestRefused(refusal);
  throw Error(refusal);
}

std::string EndpointClient::fetch(const std::string& path, const std::string& body) const {
  const HttpAnswer answer =
      tries(path, {address_.server, address_.base + path, body, key_, login_, parameters_.timeout});
  if (answer.status != 200) explain(path, answer);
  return answer.body;
}

json EndpointClient::understood(const std::string& text, const Check& check) const {
  try {
    json answer = parse_json(text, "its answer");
    check(answer);
    return answer;
  } catch (const Error& error) {
    throw AnswerUnusable("The answer of the endpoint " + parameters_.endpoint +
                         " cannot be understood: " + error.what() + ".");
  }
}

json EndpointClient::ask(const std::string& path, const json& request, const Check& check) const {
  const std::string body = request.dump(-1, ' ', false, json::error_handler_t::replace);
  const std::string key = sha256(address_.server + address_.base + path + "\n" + body);
  const auto known = cache_->find_or_begin(key);
  json answer;
  if (known) {
    answer = understood(*known, check);
  } else {
    const Begun begun{*cache_, key};
    answer = understood(fetch(path, body), check);
    cache_->keep(key, answer.dump());
  }
  if (const auto name = answer.find("model"); name != answer.end() && name->is_string()) {
    const std::scoped_lock lock(mutex_);
    answered_as_.insert(unicode::excerpt(name->get<std::string>()));
  }
  return answer;
}

std::vector<json> EndpointClient::ask_all(const std::string& path, std::span<const json> requests,
                                          const Check& check) const {
  std::vector<json> answers(requests.size());
  std::atomic<size_t> next = 0;
  std::atomic<bool> failed = false;
  std::mutex first;
  std::exception_ptr problem;
  const auto work = [&] {
    for (size_t i = next++; i < requests.size() && !failed; i = next++) {
      try {
        answers[i] = ask(path, requests[i], check);
      } catch (...) {
        const std::scoped_lock lock(first);
        if (!problem) problem = std::current_exception();
        failed = true;
      }
    }
  };
  {
    std::vector<std::jthread> others;
    const size_t workers =
        std::min(requests.size(), static_cast<size_t>(std::max<int64_t>(1, limits_.concurrency)));
    for (size_t i = 1; i < workers; ++i) others.emplace_back(work);
    work();
  }
  if (problem) std::rethrow_exception(problem);
  return answers;
}

std::set<std::string> EndpointClient::answered_as() const {
  const std::scoped_lock lock(mutex_);
  return answered_as_;
}

}  // namespace hijack
