#pragma once
#include <optional>
#include <string>

namespace hijack {

/// One POST of JSON, tried once.
struct HttpRequest {
  std::string server;  ///< "http://127.0.0.1:8080"
  std::string path;    ///< "/v1/chat/completions"
  std::string body;
  std::string key = {};    ///< bearer token; empty = none
  std::string login = {};  ///< "user:password" of basic authentication, goes before the key; empty = none
  double timeout = 60;     ///< seconds, for connecting and for each read
};
struct HttpAnswer {
  int status = 0;  ///< 0 = no answer
  std::string body = {};
  std::string problem = {};  ///< why there is none
  double retry_after = 0;    ///< seconds that a busy server asks to be left alone; 0 = it does not say
};
/// Answers of more than 16 MiB count as none. Never throws for what the network does; throws Error in builds
/// without cpp-httplib.
HttpAnswer post_json(const HttpRequest& request);

}  // namespace hijack
