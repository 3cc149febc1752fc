#include "models/chat_template/jinja/interpreter.h"
#include "models/chat_template/jinja/operations.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::jinja {

class Interpreter::Nested {
 public:
  explicit Nested(size_t& depth) : depth_(depth) {
    constexpr size_t kDeepest = 1000;
    if (depth_ >= kDeepest) throw Error("it calls itself too often or nests too deeply");
    ++depth_;
  }
  ~Nested() { --depth_; }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;

 private:
  size_t& depth_;
};

namespace {

bool holds(const std::string& sign, const Value& a, const Value& b, Budget& budget) {
  if (sign == "==") return equal(a, b, budget);
  if (sign == "!=") return !equal(a, b, budget);
  if (sign == "in") return contains(b, a, budget);
  if (sign == "not in") return !contains(b, a, budget);
  if (a.is_undefined()) fail_undefined(a);
  if (b.is_undefined()) fail_undefined(b);
  const bool turned = sign.front() == '>';
  const Value &low = turned ? b : a, &high = turned ? a : b;
  return less(low, high, budget) || (sign.size() == 2 && equal(a, b, budget));
}

}  // namespace

Value Interpreter::evaluate(const Expression& expression, Scope& scope) {
  const Nested nested(depth_);
  budget_.charge(24);
  const auto& parts = expression.parts;
  switch (expression.kind) {
    case ExpressionKind::constant:
      return expression.constant;
    case ExpressionKind::name:
      return variable(expression, scope);
    case ExpressionKind::attribute:
      return attribute_of(evaluate(*parts[0], scope), expression.text, budget_);
    case ExpressionKind::item: {
      const Value object = evaluate(*parts[0], scope);
      return item_of(object, evaluate(*parts[1], scope), budget_);
    }
    case ExpressionKind::negation:
      return Value::boolean(!evaluate(*parts[0], scope).truth());
    case ExpressionKind::both:
    case ExpressionKind::either: {
      Value left = evaluate(*parts[0], scope);
      return left.truth() == (expression.kind == ExpressionKind::both) ? evaluate(*parts[1], scope) : left;
    }
    case ExpressionKind::arithmetic: {
      const Value left = evaluate(*parts[0], scope);
      return arithmetic(expression.text, left, evaluate(*parts[1], scope), budget_);
    }
    case ExpressionKind::negative:
      return negative_of(evaluate(*parts[0], scope));
    case ExpressionKind::positive:
      return arithmetic("-", evaluate(*parts[0], scope), Value::integer(0), budget_);
    default:
      return evaluate_composed(expression, scope);
  }
}

Value Interpreter::evaluate_composed(const Expression& expression, Scope& scope) {
  switch (expression.kind) {
    case ExpressionKind::list:
      return make_sequence(SequenceKind::list, evaluate_all(expression, 0, scope), budget_);
    case ExpressionKind::tuple:
      return make_sequence(SequenceKind::tuple, evaluate_all(expression, 0, scope), budget_);
    case ExpressionKind::dict:
      return dict(expression, scope);
    case ExpressionKind::slice: {
      const Values all = evaluate_all(expression, 0, scope);
      return slice_of(all[0], all[1], all[2], all[3], budget_);
    }
    case ExpressionKind::call:
      return call(expression, scope);
    case ExpressionKind::filter:
      return filter(expression, scope);
    case ExpressionKind::test: {
      const Value subject = evaluate(*expression.parts[0], scope);
      return Value::boolean(apply_test(expression.text, subject, arguments_of(expression, scope), budget_));
    }
    case ExpressionKind::concatenation:
      return concatenation(expression, scope);
    case ExpressionKind::compare:
      return compare(expression, scope);
    default:
      return condition(expression, scope);
  }
}

Values Interpreter::evaluate_all(const Expression& expression, size_t from, Scope& scope) {
  Values made;
  for (size_t i = from; i < expression.parts.size(); ++i)
    made.push_back(expression.parts[i] ? evaluate(*expression.parts[i], scope) : Value::none());
  return made;
}

Arguments Interpreter::arguments_of(const Expression& expression, Scope& scope) {
  Arguments made{.parts = evaluate_all(expression, 1, scope)};
  for (const auto& [name, value] : expression.named) made.named.emplace_back(name, evaluate(*value, scope));
  return made;
}

Value Interpreter::variable(const Expression& expression, Scope& scope) {
  if (const Value* found = scope.find(expression.text)) return *found;
  if (has_function(expression.text))
    return Value::Data(std::make_shared<const Callable>(Callable{.name = expression.text}));
  for (const char* name : {"varargs", "kwargs", "caller", "self"})
    if (expression.text == name) throw Error(std::string("the variable '") + name + "' is not supported");
  return Value::undefined(expression.text);
}

Value Interpreter::dict(const Expression& expression, Scope& scope) {
  Dict made;
  for (size_t i = 0; i < expression.parts.size(); i += 2) {
    const Value key = evaluate(*expression.parts[i], scope);
    budget_.charge(8 * made.items.size());
    made.set(key, evaluate(*expression.parts[i + 1], scope));
  }
  return make_dict(std::move(made), budget_);
}

Value Interpreter::compare(const Expression& expression, Scope& scope) {
  Value left = evaluate(*expression.parts[0], scope);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = evaluate(*expression.parts[i + 1], scope);
    if (!holds(expression.operators[i], left, right, budget_)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::concatenation(const Expression& expression, Scope& scope) {
  std::string made;
  for (const Expression* part : expression.parts) made += to_text(evaluate(*part, scope), budget_);
  return text_value(std::move(made), budget_);
}

Value Interpreter::condition(const Expression& expression, Scope& scope) {
  const auto& parts = expression.parts;
  if (evaluate(*parts[0], scope).truth()) return evaluate(*parts[1], scope);
  return parts[2] ? evaluate(*parts[2], scope) : Value::undefined("the value without else");
}

Value Interpreter::filter(const Expression& expression, Scope& scope) {
  const Value subject = evaluate(*expression.parts[0], scope);
  return apply_filter(expression.text, subject, arguments_of(expression, scope), budget_);
}

Value Interpreter::call(const Expression& expression, Scope& scope) {
  const Value callee = evaluate(*expression.parts[0], scope);
  const Arguments arguments = arguments_of(expression, scope);
  if (callee.is_undefined()) fail_undefined(callee);
  const Callable* function = callee.as_callable();
  if (!function) throw Error(std::string(callee.kind()) + " cannot be called");
  if (function->macro) return call_macro(*function, arguments);
  if (function->self) return call_method(*function->self, function->name, arguments, budget_);
  return call_function(function->name, arguments, budget_);
}

}  // namespace hijack::jinja
