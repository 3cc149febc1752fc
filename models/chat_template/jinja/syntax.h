#pragma once
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "models/chat_template/jinja/value.h"

namespace hijack::jinja {

/// parts, by kind: item {object, index}; slice {object, from, to, step} with nullptr for what is left out;
/// call {callee, arguments}; filter and test {subject, arguments}; condition {test, then, else or nullptr};
/// compare {first, others} with the operators in `operators`; dict {key, value, key, value...}.
enum class ExpressionKind {
  constant,
  name,
  list,
  tuple,
  dict,
  attribute,
  item,
  slice,
  call,
  filter,
  test,
  negative,
  positive,
  negation,
  both,
  either,
  arithmetic,
  concatenation,
  compare,
  condition
};

struct Expression {
  ExpressionKind kind = ExpressionKind::constant;
  std::string text = {};  ///< the name of a variable, attribute, filter or test; an arithmetic operator
  Value constant = {};
  std::vector<const Expression*> parts = {};
  std::vector<std::pair<std::string, const Expression*>> named = {};  ///< arguments
  std::vector<std::string> operators = {};
  size_t line = 1;
};

enum class StatementKind {
  text,
  print,
  loop,
  branch,
  assign,
  assign_block,
  macro,
  group,
  filtered,
  with,
  skip,
  leave
};

/// What is assigned to: a variable, an attribute of a namespace, or several of them.
struct Target {
  std::string name = {};
  std::string attribute = {};
  std::vector<Target> several = {};
};

/// value: what is printed, looped over, tested, assigned. condition: of a loop.
struct Statement {
  StatementKind kind = StatementKind::text;
  std::string text = {};
  const Expression* value = nullptr;
  const Expression* condition = nullptr;
  Target target = {};
  std::vector<std::pair<std::string, const Expression*>> parameters = {};  ///< with defaults; of `with` too
  std::vector<const Expression*> filters = {};  ///< around a block, whose subject is `text of the block`
  std::vector<const Statement*> body = {}, otherwise = {};
  size_t line = 1;
};

using Block = std::vector<const Statement*>;

/// A parsed template, and the owner of all its parts.
struct Syntax {
  std::deque<Expression> expressions = {};
  std::deque<Statement> statements = {};
  Block body = {};
};

/// The variable that stands for a block's text in its filters; no name of a template has a space.
inline constexpr const char* kBlockText = "block text";

}  // namespace hijack::jinja
