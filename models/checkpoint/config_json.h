#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace hijack {

/// Typed look-ups with the class default for what the file omits. Throws Error naming section and key for a
/// wrong type, a number out of [1, 2^31), or a missing value without default.
class ConfigReader {
 public:
  ConfigReader(const nlohmann::json& json, std::string section);
  int64_t integer(const char* key, std::optional<int64_t> fallback) const;
  double number(const char* key, std::optional<double> fallback) const;
  bool flag(const char* key, bool fallback) const;
  std::string text(const char* key, std::optional<std::string> fallback) const;
  bool has(const char* key) const { return json_.contains(key) && !json_.at(key).is_null(); }
  /// Present and null: for some fields not the same as absent.
  bool is_null(const char* key) const { return json_.contains(key) && json_.at(key).is_null(); }
  const nlohmann::json& raw(const char* key) const { return json_.at(key); }
  /// A part that names at least its model_type; `otherwise` where the whole part is missing. What a part
  /// itself leaves out has the default of its own class.
  nlohmann::json part(const char* key, nlohmann::json otherwise) const;

 private:
  [[noreturn]] void fail(const char* key, const char* expected) const;
  const nlohmann::json& json_;
  std::string section_;
};

}  // namespace hijack
