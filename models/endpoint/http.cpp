#include "models/endpoint/http.h"

#include <cstdlib>

#include "src/base/error.h"

#ifdef HIJACK_HTTP
#include <httplib.h>
#endif

namespace hijack {

#ifdef HIJACK_HTTP
namespace {

constexpr size_t kLargest = size_t{16} << 20;

httplib::Request post_of(const HttpRequest& request) {
  httplib::Request post;
  post.method = "POST";
  post.path = request.path;
  post.body = request.body;
  post.set_header("Content-Type", "application/json");
  if (!request.login.empty()) {
    const size_t colon = std::min(request.login.find(':'), request.login.size());
    const auto [name, value] = httplib::make_basic_authentication_header(
        request.login.substr(0, colon), request.login.substr(std::min(colon + 1, request.login.size())));
    post.set_header(name, value);
  } else if (!request.key.empty()) {
    post.set_header("Authorization", "Bearer " + request.key);
  }
  return post;
}

HttpAnswer send(const HttpRequest& request) {
  httplib::Client client(request.server);
  if (!client.is_valid()) return {.problem = "the address cannot be used"};
  const auto whole = static_cast<time_t>(request.timeout);
  const auto rest = static_cast<time_t>((request.timeout - static_cast<double>(whole)) * 1e6);
  client.set_connection_timeout(whole, rest);
  client.set_read_timeout(whole, rest);
  client.set_write_timeout(whole, rest);
  httplib::Request post = post_of(request);
  std::string body;
  post.content_receiver = [&](const char* data, size_t size, uint64_t, uint64_t) {
    body.append(data, size);
    return body.size() <= kLargest;
  };
  const httplib::Result result = client.send(post);
  if (body.size() > kLargest) return {.problem = "its answer is larger than 16 MiB"};
  if (!result) return {.problem = httplib::to_string(result.error())};
  HttpAnswer answer{.status = result->status, .body = std::move(body)};
  if (result->has_header("Retry-After"))
    answer.retry_after = std::atof(result->get_header_value("Retry-After").c_str());
  return answer;
}

}  // namespace

HttpAnswer post_json(const HttpRequest& request) {
  try {
    return send(request);
  } catch (const std::logic_error&) {  // cpp-httplib's, for ports that are none and https without TLS
    return {.problem = "the address cannot be used"};
  }
}
#else
HttpAnswer post_json(const HttpRequest&) {
  throw Error(
      "This build of hijack has no HTTP: install libcpp-httplib-dev and build again; endpoints "
      "cannot be asked without.");
}
#endif

}  // namespace hijack
