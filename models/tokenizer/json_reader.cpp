#include "models/tokenizer/json_reader.h"

#include "src/base/error.h"
#include "src/base/json.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer::json_reader {
namespace {

constexpr int kDepth = 64;
constexpr uint64_t kHighestId = (uint64_t{1} << 24) - 1;

std::string named(const char* key) {
  return "'" + std::string(key) + "'";
}

}  // namespace

Json parse(std::string_view text, const std::string& where) {
  const auto limit = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kDepth) throw Error(where + ": nested deeper than 64");
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), limit);
  } catch (const Json::exception& error) {
    throw Error(where + " " + not_json(text, error));
  }
}

const Json& member(const Json& object, const char* key, const std::string& where) {
  if (!object.is_object()) throw Error(where + ": expected an object with " + named(key));
  const auto found = object.find(key);
  if (found == object.end()) throw Error(where + ": " + named(key) + " is missing");
  return *found;
}

const Json& array(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  if (!value.is_array()) throw Error(where + ": " + named(key) + " must be an array");
  return value;
}

std::string text(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  if (!value.is_string()) throw Error(where + ": " + named(key) + " must be a string");
  return value.get<std::string>();
}

bool flag(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  if (!value.is_boolean()) throw Error(where + ": " + named(key) + " must be true or false");
  return value.get<bool>();
}

bool flag(const Json& object, const char* key, bool fallback, const std::string& where) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? fallback : flag(object, key, where);
}

int64_t count(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  if (!value.is_number_unsigned() || value.get<uint64_t>() > 0x7FFFFFFFU)
    throw Error(where + ": " + named(key) + " must be a count");
  return value.get<int64_t>();
}

bool is_token_id(const Json& value) {
  return value.is_number_unsigned() && value.get<uint64_t>() <= kHighestId;
}

uint32_t token_id(const Json& value, const std::string& where) {
  if (!is_token_id(value))
    throw Error(where + ": a token id must be an integer in [0, " + std::to_string(kHighestId) + "]");
  return value.get<uint32_t>();
}

std::string character(const Json& object, const char* key, const std::string& where) {
  std::string value = text(object, key, where);
  if (unicode::count(value) != 1) throw Error(where + ": " + named(key) + " must be one character");
  return value;
}

Pattern pattern(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where);
  if (value.is_object() && value.size() == 1 && value.contains("String"))
    return Pattern::literal(text(value, "String", where));
  if (value.is_object() && value.size() == 1 && value.contains("Regex"))
    return Pattern::regex(text(value, "Regex", where), where);
  throw Error(where + ": " + named(key) + " must be {\"String\": …} or {\"Regex\": …}");
}

std::string type_of(const Json& component, const std::string& where) {
  return text(component, "type", where);
}

void unsupported(const std::string& what, const std::string& where) {
  throw Error(where + ": unsupported component " + what);
}

}  // namespace hijack::tokenizer::json_reader
