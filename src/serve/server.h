#pragma once
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "src/serve/served_model.h"

namespace hijack {

struct ServerAddress {
  std::string host = "127.0.0.1";
  int port = 8000;  ///< 0 = any that is free
};

/// One line of the server's log.
struct ServedRequest {
  std::string what;  ///< "POST /v1/chat/completions"
  int status = 0;    ///< 0 = a stream whose client went away
  double seconds = 0;
};

/// An OpenAI-compatible server: GET /v1/models, POST /v1/chat/completions, GET /health. Connections wait for
/// each other at the model. Bodies beyond the limits get 413, requests that are no JSON documents by their
/// Content-Type 400 (so that a web page cannot send them unasked), other paths 404, all as
/// {"error": {...}}.
class ChatServer {
 public:
  /// Throws Error where the address is none or taken, and in builds without cpp-httplib.
  ChatServer(std::shared_ptr<const ServedModel> model, const ServerAddress& address,
             std::function<void(const ServedRequest&)> log = {});
  ~ChatServer();
  ChatServer(const ChatServer&) = delete;
  ChatServer& operator=(const ChatServer&) = delete;

  int port() const;
  /// Serves until `stop`: then replies end, the socket is closed, and it returns.
  void run(std::stop_token stop);

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace hijack
