#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace hijack {

/// The token that tokenizer_config.json or a like file names under `key` ("bos_token"), which is a text or an
/// object with "content"; nullopt where it names none.
std::optional<std::string> named_token(const nlohmann::json& settings, const std::string& key);

}  // namespace hijack
