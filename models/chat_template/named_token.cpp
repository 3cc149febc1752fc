#include "models/chat_template/named_token.h"

#include <nlohmann/json.hpp>

namespace hijack {

std::optional<std::string> named_token(const nlohmann::json& settings, const std::string& key) {
  if (!settings.is_object() || !settings.contains(key)) return {};
  const nlohmann::json& value = settings[key];
  const nlohmann::json& text = value.is_object() && value.contains("content") ? value["content"] : value;
  if (!text.is_string()) return {};
  return text.get<std::string>();
}

}  // namespace hijack
