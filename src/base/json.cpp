#include "src/base/json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "src/base/error.h"
#include "src/base/file.h"

namespace hijack {
namespace {

constexpr int kMaxDepth = 64;

}  // namespace

std::string not_json(std::string_view text, const std::exception& failure) {
  const auto* parsing = dynamic_cast<const nlohmann::json::parse_error*>(&failure);
  if (parsing == nullptr) return "is not valid JSON: a number in it is too large";
  if (text.find_first_not_of(" \t\r\n") == text.npos) return "is not valid JSON: it is empty";
  if (parsing->byte > text.size()) return "is not valid JSON: it ends in the middle";
  const std::string_view before = text.substr(0, parsing->byte == 0 ? 0 : parsing->byte - 1);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t break_at = before.rfind('\n');
  const size_t column = before.size() - (break_at == before.npos ? 0 : break_at + 1) + 1;
  return "is not valid JSON at line " + std::to_string(line) + ", column " + std::to_string(column);
}

nlohmann::json number_or_null(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

nlohmann::json number_or_null(const std::optional<double>& value) {
  return value ? number_or_null(*value) : nlohmann::json(nullptr);
}

nlohmann::json parse_json(std::string_view text, const std::string& where) {
  using nlohmann::json;
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxDepth)
      throw Error(where + " is nested deeper than " + std::to_string(kMaxDepth) + " levels");
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second)
        throw Error(where + " has the key \"" + key.substr(0, 100) + "\" twice in one object");
    }
    return true;
  };
  try {
    return json::parse(text, check);
  } catch (const json::exception& failure) {
    throw Error(where + " " + not_json(text, failure));
  }
}

nlohmann::json read_json(const std::filesystem::path& file, int64_t max_bytes) {
  return parse_json(read_file(file, max_bytes), file.string());
}

}  // namespace hijack
