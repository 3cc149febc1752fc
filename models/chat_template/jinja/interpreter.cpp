#include "models/chat_template/jinja/interpreter.h"

#include "models/chat_template/jinja/operations.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

// Statements; expressions are in evaluate.cpp.
namespace hijack::jinja {

const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope; scope = scope->parent_)
    if (const auto found = scope->values_.find(name); found != scope->values_.end()) return &found->second;
  return nullptr;
}

Interpreter::Flow Interpreter::run(const Block& block, Scope& scope, std::string& out) {
  for (const Statement* statement : block)
    if (const Flow flow = run(*statement, scope, out); flow != Flow::on) return flow;
  return Flow::on;
}

void Interpreter::print(const std::string& text, std::string& out) {
  budget_.charge(text.size());
  out += text;
}

std::string Interpreter::text_of_block(const Block& block, Scope& scope) {
  Scope inner(&scope);
  std::string made;
  run(block, inner, made);
  return made;
}

std::string Interpreter::filtered(const Statement& statement, Scope& scope) {
  std::string text = text_of_block(statement.body, scope);
  if (!statement.value) return text;
  Scope inner(&scope);
  inner.set(kBlockText, Value::text(std::move(text)));
  return to_text(evaluate(*statement.value, inner), budget_);
}

Interpreter::Flow Interpreter::run(const Statement& statement, Scope& scope, std::string& out) {
  line_ = statement.line;
  budget_.charge(24);
  switch (statement.kind) {
    case StatementKind::text:
      print(statement.text, out);
      return Flow::on;
    case StatementKind::print:
      print(to_text(evaluate(*statement.value, scope), budget_), out);
      return Flow::on;
    case StatementKind::loop:
      return loop(statement, scope, out);
    case StatementKind::branch:
      return run(evaluate(*statement.value, scope).truth() ? statement.body : statement.otherwise, scope,
                 out);
    case StatementKind::assign:
      assign(statement.target, evaluate(*statement.value, scope), scope);
      return Flow::on;
    case StatementKind::assign_block:
      assign(statement.target, Value::text(filtered(statement, scope)), scope);
      return Flow::on;
    case StatementKind::macro:
      scope.set(statement.text, Value::Data(std::make_shared<const Callable>(
                                    Callable{.name = statement.text, .macro = &statement, .scope = &scope})));
      return Flow::on;
    case StatementKind::group:
    case StatementKind::filtered:
      print(filtered(statement, scope), out);
      return Flow::on;
    case StatementKind::with:
      return with(statement, scope, out);
    case StatementKind::skip:
      return Flow::skip;
    case StatementKind::leave:
      return Flow::leave;
  }
  return Flow::on;
}

Interpreter::Flow Interpreter::with(const Statement& statement, Scope& scope, std::string& out) {
  Scope inner(&scope);
  for (const auto& [name, value] : statement.parameters) inner.set(name, evaluate(*value, scope));
  return run(statement.body, inner, out);
}

Interpreter::Flow Interpreter::loop(const Statement& statement, Scope& scope, std::string& out) {
  auto items = iterate(evaluate(*statement.value, scope), budget_);
  if (statement.condition) {
    auto kept = std::make_shared<Sequence>();
    for (const Value& item : items->items) {
      Scope inner(&scope);
      assign(statement.target, item, inner);
      if (evaluate(*statement.condition, inner).truth()) kept->items.push_back(item);
    }
    items = kept;
  }
  if (items->items.empty()) {
    Scope inner(&scope);
    return run(statement.otherwise, inner, out);
  }
  for (size_t i = 0; i < items->items.size(); ++i) {
    budget_.charge(128);
    Scope inner(&scope);
    inner.set("loop", Value::Data(std::make_shared<const Loop>(Loop{.items = items, .index = i})));
    assign(statement.target, items->items[i], inner);
    if (run(statement.body, inner, out) == Flow::leave) break;
  }
  return Flow::on;
}

void Interpreter::assign(const Target& target, const Value& value, Scope& scope) {
  if (!target.several.empty()) {
    const auto items = iterate(value, budget_);
    if (items->items.size() != target.several.size())
      throw Error("there are " + std::to_string(items->items.size()) + " values for " +
                  std::to_string(target.several.size()) + " names");
    for (size_t i = 0; i < items->items.size(); ++i) assign(target.several[i], items->items[i], scope);
    return;
  }
  if (target.attribute.empty()) return scope.set(target.name, value);
  const Value* space = scope.find(target.name);
  if (!space || !space->as_namespace())
    throw Error("'" + unicode::excerpt(target.name) + "' is no namespace, so its attributes cannot be set");
  if (value.as_namespace() || value.as_callable() || value.as_loop())
    throw Error("a namespace, a macro or loop in a namespace is not supported");
  if (target.attribute.starts_with('_'))
    throw Error("names with '_' before them are not allowed in a namespace");
  budget_.charge(64);
  space->as_namespace()->values[target.attribute] = value;
}

Value Interpreter::call_macro(const Callable& macro, const Arguments& arguments) {
  const Statement& statement = *macro.macro;
  std::vector<std::string_view> names;
  for (const auto& parameter : statement.parameters) names.push_back(parameter.first);
  const Values given = arguments.bind("the macro '" + macro.name + "'", names);
  Scope inner(macro.scope);
  for (size_t i = 0; i < names.size(); ++i) {
    const auto& [name, otherwise] = statement.parameters[i];
    if (given[i].is_undefined() && otherwise)
      inner.set(name, evaluate(*otherwise, inner));
    else
      inner.set(name, given[i].is_undefined() ? Value::undefined(name) : given[i]);
  }
  std::string made;
  run(statement.body, inner, made);
  return text_value(std::move(made), budget_);
}

}  // namespace hijack::jinja
