#pragma once
#include <httplib.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "src/base/file.h"
#include "tests/support/child_process.h"
#include "tests/support/temporary_folder.h"

namespace hijack::support {

/// `hijack serve` on a free port of 127.0.0.1.
class Served {
 public:
  explicit Served(const std::string& model, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"serve", "--port", "0", "--threads", "1", "--model", model};
    words.insert(words.end(), more.begin(), more.end());
    child_ = std::make_unique<ChildProcess>(words, out(), err());
    wait_until([&] {
      const std::string text = std::filesystem::exists(out()) ? read_file(out()) : "";
      const size_t at = text.find("127.0.0.1:");
      if (text.find('\n') != std::string::npos && at != std::string::npos)
        port_ = std::stoi(text.substr(at + 10));
      return port_ > 0;
    });
  }

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
  std::string said() const { return read_file(out()); }
  std::string log() const { return read_file(err()); }
  ChildProcess& child() { return *child_; }

  /// What a request is answered with.
  httplib::Result post(const std::string& body, const std::string& type = "application/json") const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(120);
    return client.Post("/v1/chat/completions", body, type.c_str());
  }
  nlohmann::json ask(const nlohmann::json& request) const {
    const httplib::Result result = post(request.dump());
    return result ? nlohmann::json::parse(result->body, nullptr, false) : nlohmann::json();
  }

 private:
  std::string out() const { return (folder_.path() / "out").string(); }
  std::string err() const { return (folder_.path() / "err").string(); }

  TemporaryFolder folder_;
  std::unique_ptr<ChildProcess> child_;
  int port_ = 0;
};

}  // namespace hijack::support
