#pragma once
#include <memory>
#include <string_view>

#include "models/chat_template/jinja/syntax.h"

namespace hijack::jinja {

/// Throws Error that names the construct for what is not Jinja, or not in the part of it that is supported.
std::unique_ptr<const Syntax> parse(std::string_view source);

}  // namespace hijack::jinja
