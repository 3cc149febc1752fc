#pragma once
#include <string>
#include <string_view>

#include "models/chat_template/jinja/lexer.h"

namespace hijack::jinja {

/// A name, number or string literal at the beginning of a text.
struct Literal {
  size_t length = 0;  ///< bytes; 0: none is here
  TokenType type = TokenType::name;
  std::string text = {};     ///< numbers in decimal, without "_"
  std::string problem = {};  ///< not empty: what is wrong with it
};

/// after_dot: right after a ".", where digits are no real number ("a.0.1").
Literal literal_at(std::string_view text, bool after_dot);

}  // namespace hijack::jinja
