#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace hijack::jinja {

/// data: text outside of tags, with the white space around tags already taken away as trim_blocks and
/// lstrip_blocks say (both on, as in transformers). Operators are `symbol`.
enum class TokenType {
  data,
  begin_print,
  end_print,
  begin_block,
  end_block,
  name,
  text,
  whole,
  real,
  symbol,
  end
};

struct Token {
  TokenType type = TokenType::end;
  std::string text;  ///< of a string literal: what it stands for
  size_t line = 1;

  bool is(std::string_view symbol) const { return type == TokenType::symbol && text == symbol; }
  bool is_name(std::string_view name) const { return type == TokenType::name && text == name; }
};

/// Jinja's lexer. Throws Error.
std::vector<Token> tokens_of(std::string_view source);

/// What an error says where line `line` is to blame.
std::string at_line(size_t line, const std::string& what);

}  // namespace hijack::jinja
