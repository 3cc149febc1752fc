#pragma once
#include <string>

#include "src/base/error.h"

namespace hijack {

/// A request that is not answered: what() says why in one sentence, in words for the client.
class RequestError : public Error {
 public:
  explicit RequestError(const std::string& sentence, std::string parameter = {}, int status_in = 400)
      : Error(sentence.ends_with('.') ? sentence : sentence + "."),
        status(status_in),
        parameter_(std::move(parameter)) {}

  /// {"error": {"message", "type", "param", "code"}}, as OpenAI's API has it.
  std::string body() const { return body_of(what(), status, parameter_); }
  static std::string body_of(const std::string& sentence, int status, const std::string& parameter = {});

  int status;  ///< of HTTP

 private:
  std::string parameter_;
};

}  // namespace hijack
