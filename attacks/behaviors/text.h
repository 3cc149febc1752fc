#pragma once
#include <string>
#include <string_view>

// How replies are compared.

namespace hijack {

/// Without white space at both ends.
std::string strip(const std::string& text);

/// Without any white space and, in ASCII, without case.
std::string fold(const std::string& text);

/// Words between white space.
int64_t count_words(const std::string& text);

}  // namespace hijack
