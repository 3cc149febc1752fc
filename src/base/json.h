#pragma once
#include <exception>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace hijack {

/// What is wrong with a text that nlohmann-json did not take, in words of our own, to follow the file's name:
/// "is not valid JSON at line 3, column 7".
std::string not_json(std::string_view text, const std::exception& failure);

/// null where the number is not finite, which JSON cannot say.
nlohmann::json number_or_null(double value);
nlohmann::json number_or_null(const std::optional<double>& value);

/// Parses JSON from outside. Throws Error, naming `where`, for text that is not JSON, is nested deeper than
/// 64 levels, or has a key twice in one object (other parsers silently keep one of the two).
nlohmann::json parse_json(std::string_view text, const std::string& where);

/// The same for a file of at most max_bytes.
nlohmann::json read_json(const std::filesystem::path& file, int64_t max_bytes = int64_t{64} << 20);

}  // namespace hijack
