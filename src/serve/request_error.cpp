#include "src/serve/request_error.h"

#include <nlohmann/json.hpp>

namespace hijack {

std::string RequestError::body_of(const std::string& sentence, int status, const std::string& parameter) {
  const char* type = status == 404  ? "not_found_error"
                     : status < 500 ? "invalid_request_error"
                                    : "server_error";
  const nlohmann::json error = {{"message", sentence},
                                {"type", type},
                                {"param", parameter.empty() ? nlohmann::json() : nlohmann::json(parameter)},
                                {"code", status}};
  return nlohmann::json({{"error", error}}).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace hijack
