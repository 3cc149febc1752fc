#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "models/chat_template/jinja/lexer.h"
#include "models/chat_template/jinja/syntax.h"

namespace hijack::jinja {

/// Jinja's grammar of expressions, and the tokens that a parser of statements reads, too.
class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, Syntax& syntax) : tokens_(std::move(tokens)), syntax_(syntax) {}

  const Expression* expression(bool with_condition = true);
  /// An expression, or several with commas, which are a tuple.
  const Expression* expressions(bool with_condition = true);
  /// `subject` with the filters that follow: "| a | b(1)"; the first "|" may have been read.
  const Expression* filters(const Expression* subject, bool first_pipe_read = false);
  /// "(...)" after a name.
  void arguments(Expression& call);

 protected:
  const Token& now() const { return tokens_[at_]; }
  const Token& after() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& next() { return tokens_[std::min(at_++, tokens_.size() - 1)]; }
  bool take(std::string_view symbol);
  bool take_name(std::string_view name);
  void expect(std::string_view symbol);
  std::string expect_name(const char* what);
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void unexpected() const;
  Expression& make(ExpressionKind kind, std::vector<const Expression*> parts = {}, std::string text = {});
  Syntax& syntax() { return syntax_; }

  /// Counts how deep the parser is in itself. Throws Error.
  class Nested {
   public:
    explicit Nested(ExpressionParser& parser);
    ~Nested() { --parser_.depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

   private:
    ExpressionParser& parser_;
  };

 private:
  const Expression* condition();
  const Expression* either();
  const Expression* both();
  const Expression* negation();
  const Expression* compare();
  const Expression* sum();
  const Expression* concatenation();
  const Expression* product();
  const Expression* power();
  const Expression* unary(bool with_filter = true);
  const Expression* primary();
  const Expression* postfix(const Expression* node);
  const Expression* postfix_filter(const Expression* node);
  const Expression* subscript(const Expression* node);
  const Expression* index(const Expression* node);
  const Expression* test(const Expression* node);
  const Expression* parenthesized();
  const Expression* list();
  const Expression* dict();
  const Expression* text();
  const Expression* number();
  const Expression* call(const Expression* node);
  bool ends_list() const;

  std::vector<Token> tokens_;
  Syntax& syntax_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace hijack::jinja
