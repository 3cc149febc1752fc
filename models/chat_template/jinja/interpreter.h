#pragma once
#include <map>
#include <string>

#include "models/chat_template/jinja/builtins.h"
#include "models/chat_template/jinja/syntax.h"

namespace hijack::jinja {

/// Variables of a template, a loop or a macro.
class Scope {
 public:
  explicit Scope(Scope* parent = nullptr) : parent_(parent) {}
  const Value* find(std::string_view name) const;
  void set(const std::string& name, Value value) { values_[name] = std::move(value); }

 private:
  Scope* parent_;
  std::map<std::string, Value, std::less<>> values_;
};

class Interpreter {
 public:
  enum class Flow { on, skip, leave };
  Flow run(const Block& block, Scope& scope, std::string& out);
  size_t line() const { return line_; }  ///< of the last statement that was begun

 private:
  /// Counts how deep the interpreter is in itself. Throws Error.
  class Nested;
  Flow run(const Statement& statement, Scope& scope, std::string& out);
  Flow with(const Statement& statement, Scope& scope, std::string& out);
  Flow loop(const Statement& statement, Scope& scope, std::string& out);
  void print(const std::string& text, std::string& out);
  void assign(const Target& target, const Value& value, Scope& scope);
  std::string text_of_block(const Block& block, Scope& scope);
  std::string filtered(const Statement& statement, Scope& scope);

  Value evaluate(const Expression& expression, Scope& scope);
  Value evaluate_composed(const Expression& expression, Scope& scope);
  Value variable(const Expression& expression, Scope& scope);
  Value dict(const Expression& expression, Scope& scope);
  Value compare(const Expression& expression, Scope& scope);
  Value concatenation(const Expression& expression, Scope& scope);
  Value condition(const Expression& expression, Scope& scope);
  Value filter(const Expression& expression, Scope& scope);
  Value call(const Expression& expression, Scope& scope);
  Value call_macro(const Callable& macro, const Arguments& arguments);
  Values evaluate_all(const Expression& expression, size_t from, Scope& scope);
  Arguments arguments_of(const Expression& expression, Scope& scope);

  Budget budget_;
  size_t line_ = 1, depth_ = 0;
};

}  // namespace hijack::jinja
