#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace hijack {

/// Parses JSON from outside. Throws Error, naming `where`, for text that is not JSON, is nested deeper than
/// 64 levels, or has a key twice in one object (other parsers silently keep one of the two).
nlohmann::json parse_json(std::string_view text, const std::string& where);

/// The same for a file of at most max_bytes.
nlohmann::json read_json(const std::filesystem::path& file, int64_t max_bytes = int64_t{64} << 20);

}  // namespace hijack
