#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "models/tokenizer/pattern.h"

// Reading of untrusted JSON: every function throws Error that begins with `where`.
namespace hijack::tokenizer::json_reader {

using Json = nlohmann::json;

/// Parses; refuses text that is ill-formed or nested deeper than 64.
Json parse(std::string_view text, const std::string& where);

const Json& member(const Json& object, const char* key, const std::string& where);
const Json& array(const Json& object, const char* key, const std::string& where);
std::string text(const Json& object, const char* key, const std::string& where);
bool flag(const Json& object, const char* key, const std::string& where);
/// `fallback` where the key is absent or null.
bool flag(const Json& object, const char* key, bool fallback, const std::string& where);
int64_t count(const Json& object, const char* key, const std::string& where);  ///< in [0, 2^31)
/// A token id in [0, 2^24).
bool is_token_id(const Json& value);
uint32_t token_id(const Json& value, const std::string& where);
/// A string of exactly one character.
std::string character(const Json& object, const char* key, const std::string& where);
/// {"String": …} or {"Regex": …} under `key`.
Pattern pattern(const Json& object, const char* key, const std::string& where);
/// The component's "type".
std::string type_of(const Json& component, const std::string& where);
[[noreturn]] void unsupported(const std::string& what, const std::string& where);

}  // namespace hijack::tokenizer::json_reader
