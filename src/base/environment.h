#pragma once
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

namespace hijack {

/// Of an environment variable; empty where it is not set.
inline std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

/// The whole number in [low, high] that it holds; nullopt where it is not set, or holds anything else.
inline std::optional<int64_t> environment_number(const char* name, int64_t low, int64_t high) {
  const std::string text = environment(name);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high) return {};
  return value;
}

}  // namespace hijack
