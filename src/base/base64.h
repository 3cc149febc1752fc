#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace hijack {

/// The bytes of a text in base64 (RFC 4648, section 4). nullopt for any other character than those of the
/// alphabet, a length that is no multiple of four, and padding that is not at the end or hides bits.
std::optional<std::string> base64_decoded(std::string_view text);

}  // namespace hijack
