#pragma once
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace hijack {

/// What the lines of a JSONL file from outside may be.
struct JsonLinesForm {
  int64_t max_bytes = int64_t{64} << 20;  ///< of the file; a line may have 64 KiB
  std::vector<std::string> keys;          ///< that an object may have
  std::string example;                    ///< of an object, for messages
};

/// Calls use(object, line number, "FILE:LINE") for each line that is not blank. Throws Error with file and
/// line for one that is no JSON object, or has another key.
void read_json_lines(
    const std::filesystem::path& file, const JsonLinesForm& form,
    const std::function<void(const nlohmann::json& object, size_t number, const std::string& where)>& use);

/// Spaces, tabs and line ends only.
bool blank(const std::string& text);

/// object[key], a text; "" where there is none. Throws Error for anything else.
std::string text_of(const nlohmann::json& object, const char* key, const std::string& where);

}  // namespace hijack
