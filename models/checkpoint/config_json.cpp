#include "models/checkpoint/config_json.h"

#include <cmath>

#include "src/base/error.h"

namespace hijack {

ConfigReader::ConfigReader(const nlohmann::json& json, std::string section)
    : json_(json), section_(std::move(section)) {
  if (!json.is_object()) throw Error(section_ + " of config.json must be an object");
}

void ConfigReader::fail(const char* key, const char* expected) const {
  throw Error("config.json: " + section_ + "." + key + " must be " + expected);
}

int64_t ConfigReader::integer(const char* key, std::optional<int64_t> fallback) const {
  if (!has(key)) {
    if (!fallback) fail(key, "present");
    return *fallback;
  }
  const auto& value = json_.at(key);
  if (!value.is_number_integer()) fail(key, "a whole number");
  const auto number = value.get<int64_t>();
  if (number < 1 || number >= (int64_t{1} << 31)) fail(key, "between 1 and 2^31");
  return number;
}

double ConfigReader::number(const char* key, std::optional<double> fallback) const {
  if (!has(key)) {
    if (!fallback) fail(key, "present");
    return *fallback;
  }
  if (!json_.at(key).is_number() || !std::isfinite(json_.at(key).get<double>())) fail(key, "a finite number");
  return json_.at(key).get<double>();
}

bool ConfigReader::flag(const char* key, bool fallback) const {
  if (!has(key)) return fallback;
  if (!json_.at(key).is_boolean()) fail(key, "true or false");
  return json_.at(key).get<bool>();
}

std::string ConfigReader::text(const char* key, std::optional<std::string> fallback) const {
  if (!has(key)) {
    if (!fallback) fail(key, "present");
    return *fallback;
  }
  if (!json_.at(key).is_string()) fail(key, "a string");
  return json_.at(key).get<std::string>();
}

nlohmann::json ConfigReader::part(const char* key, nlohmann::json otherwise) const {
  if (!has(key)) return otherwise;
  nlohmann::json found = raw(key);
  if (found.is_object() && !found.contains("model_type")) found["model_type"] = otherwise["model_type"];
  return found;
}

}  // namespace hijack
