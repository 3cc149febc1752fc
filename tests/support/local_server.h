#pragma once
#include <httplib.h>

#include <string>
#include <thread>
#include <utility>

namespace hijack::support {

/// A server of the loopback in a thread of its own, on a port that was free. Declare it behind what its
/// handler uses: it stops first.
class LocalServer {
 public:
  LocalServer() = default;
  ~LocalServer() { stop(); }
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  /// From here on posts to paths of this pattern are answered.
  void answer(const std::string& pattern, httplib::Server::Handler handler) {
    server_.Post(pattern, std::move(handler));
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  void stop() {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }
  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }

 private:
  httplib::Server server_;
  std::thread thread_;
  int port_ = 0;
};

}  // namespace hijack::support
