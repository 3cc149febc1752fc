#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "tests/support/local_server.h"

namespace hijack::support {

/// Stands between the program and a server, counts what is asked, and can be busy, late or gone.
class CountingProxy {
 public:
  explicit CountingProxy(int behind) : behind_(behind) {
    server_.answer(
        "/v1/chat/completions", [this](const httplib::Request& request, httplib::Response& response) {
          const int number = ++calls;
          {
            const std::scoped_lock lock(mutex_);
            ++bodies_[request.body];
            authorization_ = request.get_header_value("Authorization");
          }
          if (on_call) on_call(number);
          if (busy > 0 && busy-- > 0) {
            response.status = 429;
            response.set_header("Retry-After", "0.01");
            return;
          }
          httplib::Client client("127.0.0.1", behind_);
          client.set_read_timeout(120);
          const auto answer = client.Post("/v1/chat/completions", request.body, "application/json");
          response.status = answer ? answer->status : 503;
          response.set_content(answer ? answer->body : "", "application/json");
        });
  }
  void stop() { server_.stop(); }

  std::string url() const { return server_.url(); }
  /// How often each request came.
  std::map<std::string, int> bodies() const {
    const std::scoped_lock lock(mutex_);
    return bodies_;
  }
  std::string authorization() const {
    const std::scoped_lock lock(mutex_);
    return authorization_;
  }

  std::atomic<int> calls = 0, busy = 0;
  std::function<void(int number)> on_call = {};  ///< before the call is answered

 private:
  int behind_;
  mutable std::mutex mutex_;
  std::map<std::string, int> bodies_;
  std::string authorization_;
  LocalServer server_;
};

}  // namespace hijack::support
