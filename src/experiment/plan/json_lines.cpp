#include "src/experiment/plan/json_lines.h"

#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/nearest.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr size_t kMaxLineBytes = 64 << 10;

json object_of(const std::string& line, const std::string& where, const JsonLinesForm& form) {
  if (line.size() > kMaxLineBytes) throw Error(where + ": the line is longer than 64 KiB.");
  json object = parse_json(line, where);
  if (!object.is_object()) throw Error(where + ": not a JSON object such as " + form.example + ".");
  for (const auto& [key, value] : object.items())
    if (std::find(form.keys.begin(), form.keys.end(), key) == form.keys.end())
      throw Error(where + ": " + unknown_name("key", key, form.keys));
  return object;
}

}  // namespace

void read_json_lines(
    const std::filesystem::path& file, const JsonLinesForm& form,
    const std::function<void(const json& object, size_t number, const std::string& where)>& use) {
  std::istringstream lines(read_file(file, form.max_bytes));
  size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string where = file.string() + ":" + std::to_string(++number);
    if (!blank(line)) use(object_of(line, where, form), number, where);
  }
}

bool blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

std::string text_of(const json& object, const char* key, const std::string& where) {
  if (!object.contains(key)) return "";
  if (!object[key].is_string()) throw Error(where + ": '" + key + "' must be a text.");
  return object[key].get<std::string>();
}

}  // namespace hijack
