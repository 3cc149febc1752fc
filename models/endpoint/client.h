#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "models/endpoint/address.h"
#include "models/endpoint/answer_cache.h"
#include "models/endpoint/call_budget.h"
#include "models/endpoint/http.h"
#include "models/endpoint/parameters.h"

namespace hijack {

/// The work was stopped before everything was asked.
class AskingStopped : public AskingEnded {
 public:
  using AskingEnded::AskingEnded;
};

/// The server refuses a request as such (HTTP status 4xx), as those do that do not know a parameter of it;
/// not a missing key (401), an address or model that is not there (404), or too many requests.
class RequestRefused : public Error {
 public:
  using Error::Error;
};
/// What it answers cannot be used for what was asked.
class AnswerUnusable : public Error {
 public:
  using Error::Error;
};

/// What bounds the asking, beside the parameters.
struct AskingLimits {
  int64_t concurrency = 1;  ///< requests at once
  std::shared_ptr<CallBudget> budget = {};
  std::stop_token stop = {};
  double first_wait = 0.5;  ///< seconds before the second try, twice as long each time, at most a minute
};

/// Asks an endpoint. Answers are kept on disk by what was asked (address without login, path, request): what
/// was asked once is answered without network, and of several threads that ask the same only one sends it.
/// All methods throw Error when the endpoint is down after all tries, refuses (some as RequestRefused), or
/// answers what cannot be understood (AnswerUnusable); BudgetSpent before a request beyond the budget;
/// AskingStopped when the stop token says so.
class EndpointClient {
 public:
  using Check = std::function<void(const nlohmann::json&)>;

  /// Throws Error for an address that is none, for a key or password that would travel over plain http to
  /// another machine (unless `insecure`), and where the folder of the answers is not this user's own: without
  /// HOME it is one below the temporary folder.
  explicit EndpointClient(const EndpointParameters& parameters, AskingLimits limits = {});

  const std::string& address() const { return parameters_.endpoint; }  ///< without login
  const std::string& model() const { return parameters_.endpoint_model; }
  std::string name() const { return parameters_.name(); }

  /// The answer to a request. check: throws Error for an answer that cannot be used; it is not kept then.
  nlohmann::json ask(const std::string& path, const nlohmann::json& request, const Check& check) const;
  /// Several, at most `concurrency` at once; answers in order. The first error ends the asking, once the
  /// requests that are on their way are answered and kept.
  std::vector<nlohmann::json> ask_all(const std::string& path, std::span<const nlohmann::json> requests,
                                      const Check& check) const;

  /// What the answers so far call the model that gave them; empty where none says.
  std::set<std::string> answered_as() const;

 private:
  std::string fetch(const std::string& path, const std::string& body) const;
  HttpAnswer tries(const std::string& path, const HttpRequest& request) const;
  void wait(double seconds) const;
  [[noreturn]] void explain(const std::string& path, const HttpAnswer& answer) const;
  nlohmann::json understood(const std::string& text, const Check& check) const;

  EndpointParameters parameters_;
  AskingLimits limits_;
  EndpointAddress address_;  ///< without login
  std::string key_, login_;
  std::unique_ptr<AnswerCache> cache_;
  mutable std::mutex mutex_;
  mutable std::set<std::string> answered_as_;
};

}  // namespace hijack
