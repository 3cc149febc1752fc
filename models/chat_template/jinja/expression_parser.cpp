#include "models/chat_template/jinja/expression_parser.h"

#include <charconv>

#include "models/chat_template/jinja/builtins.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::jinja {

using Kind = ExpressionKind;

ExpressionParser::Nested::Nested(ExpressionParser& parser) : parser_(parser) {
  constexpr int kDeepest = 150;
  if (++parser_.depth_ > kDeepest) {
    --parser_.depth_;
    parser_.fail("it nests too deeply");
  }
}

void ExpressionParser::fail(const std::string& what) const {
  throw Error(at_line(tokens_[std::min(at_, tokens_.size() - 1)].line, what));
}

void ExpressionParser::unexpected() const {
  switch (now().type) {
    case TokenType::end:
      fail("the template ends too early");
    case TokenType::end_block:
    case TokenType::end_print:
      fail("a tag ends too early");
    default:
      fail("'" + unicode::excerpt(now().text) + "' is not expected here");
  }
}

bool ExpressionParser::take(std::string_view symbol) {
  if (!now().is(symbol)) return false;
  next();
  return true;
}

bool ExpressionParser::take_name(std::string_view name) {
  if (!now().is_name(name)) return false;
  next();
  return true;
}

void ExpressionParser::expect(std::string_view symbol) {
  if (!take(symbol)) unexpected();
}

std::string ExpressionParser::expect_name(const char* what) {
  if (now().type != TokenType::name) fail(std::string(what) + " must be a name");
  return next().text;
}

Expression& ExpressionParser::make(Kind kind, std::vector<const Expression*> parts, std::string text) {
  syntax_.expressions.push_back({.kind = kind, .text = std::move(text), .parts = std::move(parts)});
  syntax_.expressions.back().line = now().line;
  return syntax_.expressions.back();
}

const Expression* ExpressionParser::expression(bool with_condition) {
  const Nested nested(*this);
  return with_condition ? condition() : either();
}

const Expression* ExpressionParser::condition() {
  const Expression* value = either();
  while (take_name("if")) {
    const Expression* test = either();
    const Expression* otherwise = take_name("else") ? expression() : nullptr;
    value = &make(Kind::condition, {test, value, otherwise});
  }
  return value;
}

const Expression* ExpressionParser::either() {
  const Expression* left = both();
  while (take_name("or")) left = &make(Kind::either, {left, both()});
  return left;
}

const Expression* ExpressionParser::both() {
  const Expression* left = negation();
  while (take_name("and")) left = &make(Kind::both, {left, negation()});
  return left;
}

const Expression* ExpressionParser::negation() {
  if (!now().is_name("not")) return compare();
  const Nested nested(*this);
  next();
  return &make(Kind::negation, {negation()});
}

const Expression* ExpressionParser::compare() {
  std::vector<const Expression*> parts = {sum()};
  std::vector<std::string> operators;
  while (true) {
    std::string found;
    for (const char* one : {"==", "!=", "<", "<=", ">", ">="})
      if (now().is(one)) found = one;
    if (now().is_name("in")) found = "in";
    if (now().is_name("not") && after().is_name("in")) {
      found = "not in";
      next();
    }
    if (found.empty()) break;
    next();
    operators.push_back(found);
    parts.push_back(sum());
  }
  if (operators.empty()) return parts.front();
  Expression& made = make(Kind::compare, std::move(parts));
  made.operators = std::move(operators);
  return &made;
}

const Expression* ExpressionParser::sum() {
  const Expression* left = concatenation();
  while (now().is("+") || now().is("-")) {
    const std::string sign = next().text;
    left = &make(Kind::arithmetic, {left, concatenation()}, sign);
  }
  return left;
}

const Expression* ExpressionParser::concatenation() {
  std::vector<const Expression*> parts = {product()};
  while (take("~")) parts.push_back(product());
  return parts.size() == 1 ? parts.front() : &make(Kind::concatenation, std::move(parts));
}

const Expression* ExpressionParser::product() {
  const Expression* left = power();
  while (now().is("*") || now().is("/") || now().is("//") || now().is("%")) {
    const std::string sign = next().text;
    left = &make(Kind::arithmetic, {left, power()}, sign);
  }
  return left;
}

const Expression* ExpressionParser::power() {
  const Expression* left = unary();
  while (take("**")) left = &make(Kind::arithmetic, {left, unary()}, "**");
  return left;
}

const Expression* ExpressionParser::unary(bool with_filter) {
  const Nested nested(*this);
  const Expression* node = nullptr;
  if (take("-"))
    node = &make(Kind::negative, {unary(false)});
  else if (take("+"))
    node = &make(Kind::positive, {unary(false)});
  else
    node = primary();
  node = postfix(node);
  return with_filter ? postfix_filter(node) : node;
}

const Expression* ExpressionParser::primary() {
  switch (now().type) {
    case TokenType::text:
      return text();
    case TokenType::whole:
    case TokenType::real:
      return number();
    case TokenType::name: {
      const std::string name = next().text;
      Expression& made = make(Kind::constant);
      if (name == "true" || name == "True" || name == "false" || name == "False") {
        made.constant = Value::boolean(name == "true" || name == "True");
      } else if (name == "none" || name == "None") {
        made.constant = Value::none();
      } else {
        made.kind = Kind::name;
        made.text = name;
      }
      return &made;
    }
    default:
      if (take("(")) return parenthesized();
      if (take("[")) return list();
      if (take("{")) return dict();
      unexpected();
  }
}

const Expression* ExpressionParser::text() {
  std::string whole;
  while (now().type == TokenType::text) whole += next().text;
  Expression& made = make(Kind::constant);
  made.constant = Value::text(std::move(whole));
  return &made;
}

const Expression* ExpressionParser::number() {
  const Token& token = next();
  const char *begin = token.text.data(), *end = begin + token.text.size();
  Expression& made = make(Kind::constant);
  if (token.type == TokenType::real) {
    double value = 0;
    if (std::from_chars(begin, end, value).ec != std::errc())
      fail("the number " + token.text + " is too large");
    made.constant = Value::number(value);
  } else {
    int64_t value = 0;
    if (std::from_chars(begin, end, value).ec != std::errc())
      fail("the number " + token.text + " is too large");
    made.constant = Value::integer(value);
  }
  return &made;
}

const Expression* ExpressionParser::parenthesized() {
  if (take(")")) return &make(Kind::tuple);
  const Expression* inside = expressions();
  expect(")");
  return inside;
}

bool ExpressionParser::ends_list() const {
  return now().type == TokenType::end_block || now().type == TokenType::end_print || now().is(")") ||
         now().is_name("in") || now().is_name("recursive");
}

const Expression* ExpressionParser::expressions(bool with_condition) {
  std::vector<const Expression*> parts = {expression(with_condition)};
  if (!now().is(",")) return parts.front();
  while (take(",") && !ends_list()) parts.push_back(expression(with_condition));
  return &make(Kind::tuple, std::move(parts));
}

const Expression* ExpressionParser::list() {
  std::vector<const Expression*> parts;
  while (!now().is("]")) {
    if (!parts.empty()) expect(",");
    if (now().is("]")) break;
    parts.push_back(expression());
  }
  next();
  return &make(Kind::list, std::move(parts));
}

const Expression* ExpressionParser::dict() {
  std::vector<const Expression*> parts;
  while (!now().is("}")) {
    if (!parts.empty()) expect(",");
    if (now().is("}")) break;
    parts.push_back(expression());
    expect(":");
    parts.push_back(expression());
  }
  next();
  return &make(Kind::dict, std::move(parts));
}

const Expression* ExpressionParser::postfix(const Expression* node) {
  while (true) {
    if (now().is(".") || now().is("["))
      node = subscript(node);
    else if (now().is("("))
      node = call(node);
    else
      return node;
  }
}

const Expression* ExpressionParser::postfix_filter(const Expression* node) {
  while (true) {
    if (now().is("|"))
      node = filters(node);
    else if (now().is_name("is"))
      node = test(node);
    else if (now().is("("))
      node = call(node);
    else
      return node;
  }
}

const Expression* ExpressionParser::subscript(const Expression* node) {
  if (take("[")) return index(node);
  next();
  if (now().type == TokenType::name) {
    Expression& made = make(Kind::attribute, {node});
    made.text = next().text;
    return &made;
  }
  if (now().type != TokenType::whole) fail("a name or a number must follow '.'");
  const Expression* place = number();
  return &make(Kind::item, {node, place});
}

const Expression* ExpressionParser::index(const Expression* node) {
  std::vector<const Expression*> parts = {node};
  bool slice = false;
  const Expression* one = nullptr;
  while (!now().is("]")) {
    if (take(":")) {
      parts.push_back(one);
      one = nullptr;
      slice = true;
    } else if (one != nullptr) {
      if (now().is(",")) fail("an index of several parts is not supported");
      unexpected();
    } else {
      one = expression();
    }
  }
  next();
  if (!slice && !one) fail("an index is missing");
  parts.push_back(one);
  if (!slice) return &make(Kind::item, std::move(parts));
  if (parts.size() > 4) fail("a slice has at most three parts");
  parts.resize(4, nullptr);
  return &make(Kind::slice, std::move(parts));
}

void ExpressionParser::arguments(Expression& made) {
  expect("(");
  for (bool first = true; !now().is(")"); first = false) {
    if (!first) expect(",");
    if (now().is(")")) break;
    if (now().is("*") || now().is("**")) fail("'" + now().text + "' before an argument is not supported");
    if (now().type == TokenType::name && after().is("=")) {
      const std::string name = next().text;
      next();
      made.named.emplace_back(name, expression());
    } else {
      if (!made.named.empty()) fail("an argument without a name after one with a name");
      made.parts.push_back(expression());
    }
  }
  next();
}

const Expression* ExpressionParser::call(const Expression* node) {
  Expression& made = make(Kind::call, {node});
  arguments(made);
  return &made;
}

const Expression* ExpressionParser::filters(const Expression* subject, bool first_pipe_read) {
  while (first_pipe_read || take("|")) {
    first_pipe_read = false;
    const std::string name = expect_name("a filter");
    if (!has_filter(name)) fail("the filter '" + unicode::excerpt(name) + "' is not supported");
    Expression& made = make(Kind::filter, {subject}, name);
    if (now().is("(")) arguments(made);
    subject = &made;
  }
  return subject;
}

const Expression* ExpressionParser::test(const Expression* node) {
  next();
  const bool negated = take_name("not");
  const std::string name = expect_name("a test");
  if (!has_test(name)) fail("the test '" + unicode::excerpt(name) + "' is not supported");
  Expression& made = make(Kind::test, {node}, name);
  const bool operand = now().type == TokenType::name || now().type == TokenType::text ||
                       now().type == TokenType::whole || now().type == TokenType::real || now().is("[") ||
                       now().is("{");
  if (now().is("(")) {
    arguments(made);
  } else if (operand && !now().is_name("else") && !now().is_name("or") && !now().is_name("and")) {
    if (now().is_name("is")) fail("'is' after a test needs parentheses");
    const Expression* argument = primary();
    made.parts.push_back(postfix(argument));
  }
  return negated ? &make(Kind::negation, {&made}) : &made;
}

}  // namespace hijack::jinja
