#include "models/endpoint/parameters.h"

#include "models/endpoint/address.h"
#include "src/base/error.h"

namespace hijack {
namespace {

void check_number(const char* name, double value, double low, double high, const char* range) {
  if (!(value >= low && value <= high))
    throw Error(std::string("'") + name + "' of an endpoint must be from " + range + ".");
}

}  // namespace

void EndpointParameters::check() const {
  check_number("timeout", timeout, 0.1, 3600, "0.1 to 3600");
  check_number("retries", static_cast<double>(retries), 0, 20, "0 to 20");
  if (!endpoint.empty()) parse_address(endpoint);
}

void EndpointParameters::hide_login() {
  endpoint = hijack::hide_login(endpoint);
}

EndpointParameters parse_endpoint(const std::string& text, const std::string& what) {
  constexpr size_t kLongestModel = 200;
  const size_t mark = text.find('#', text.find("://") == std::string::npos ? 0 : text.find("://"));
  const std::string model = mark == std::string::npos ? "" : text.substr(mark + 1);
  const bool plain =
      std::all_of(model.begin(), model.end(), [](unsigned char c) { return c >= ' ' && c != 0x7F; });
  if (model.empty() || model.size() > kLongestModel || !plain || model.find('@') != std::string::npos)
    throw Error(
        what +
        " names server and model, as http://127.0.0.1:8000/v1#MODEL (GET /v1/models lists them), not '" +
        without_login(text.substr(0, kLongestModel)) + "'.");
  EndpointParameters parameters;
  parameters.endpoint = text.substr(0, mark);
  parameters.endpoint_model = model;
  parse_address(parameters.endpoint);
  parameters.hide_login();
  return parameters;
}

}  // namespace hijack
