#pragma once
#include <optional>
#include <string>
#include <string_view>

// GPT-2's alphabet: each of the 256 bytes as one printable character.
namespace hijack::byte_level {

/// The character that stands for the byte, as UTF-8.
std::string_view character_of(unsigned char byte);
/// The bytes that a token stands for; none when one of its characters is not of the alphabet.
std::optional<std::string> bytes_of(std::string_view token);
/// How GPT-2 splits text into words.
inline constexpr const char* kExpression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace hijack::byte_level
