#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// The values of chat templates, as Python has them. What is made is never changed (but for a namespace), as
// in transformers' sandbox.
namespace hijack::jinja {

class Value;
struct Statement;
class Scope;
using Values = std::vector<Value>;
using Pairs = std::vector<std::pair<Value, Value>>;

/// view: what Python has an object of its own for (range, dict.items()); it can be looped over, not printed.
/// once: a generator, empty after the first loop over it.
enum class SequenceKind { list, tuple, view, once };

struct Sequence {
  SequenceKind kind = SequenceKind::list;
  Values items = {};
  size_t depth = 1;  ///< of lists in lists
  mutable bool used = false;
};

/// In the order in which keys were first set.
struct Dict {
  Pairs items = {};
  size_t depth = 1;
  const Value* find(const Value& key) const;
  void set(const Value& key, const Value& value);
};

struct Namespace {
  std::map<std::string, Value, std::less<>> values;
};

/// `loop` inside a for.
struct Loop {
  std::shared_ptr<const Sequence> items;
  size_t index = 0;
};

/// A macro with the scope that it was written in, a global function, or a method of `self`.
struct Callable {
  std::string name;
  const Statement* macro = nullptr;
  Scope* scope = nullptr;
  std::shared_ptr<const Value> self = nullptr;
};

struct Undefined {
  std::shared_ptr<const std::string> name;
};
struct None {};

class Value {
 public:
  using Text = std::shared_ptr<const std::string>;
  using Data = std::variant<Undefined, None, bool, int64_t, double, Text, std::shared_ptr<const Sequence>,
                            std::shared_ptr<const Dict>, std::shared_ptr<Namespace>,
                            std::shared_ptr<const Loop>, std::shared_ptr<const Callable>>;
  Value() = default;
  Value(Data data) : data_(std::move(data)) {}
  static Value undefined(std::string name);
  static Value none() { return Data(None{}); }
  static Value boolean(bool value) { return Data(value); }
  static Value integer(int64_t value) { return Data(value); }
  static Value number(double value) { return Data(value); }
  static Value text(std::string text) { return Data(std::make_shared<const std::string>(std::move(text))); }

  template <typename T>
  bool is() const {
    return std::holds_alternative<T>(data_);
  }
  template <typename T>
  const T* get() const {
    return std::get_if<T>(&data_);
  }
  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  /// nullptr where it is something else.
  const std::string* as_text() const;
  const Sequence* as_sequence() const;
  const Dict* as_dict() const;
  Namespace* as_namespace() const;
  const Loop* as_loop() const;
  const Callable* as_callable() const;
  /// A whole number or a bool, which counts as one.
  const int64_t* as_integer(int64_t& room) const;
  bool is_number() const { return is<bool>() || is<int64_t>() || is<double>(); }
  double as_double() const;

  bool truth() const;
  /// For messages: "a text", "a list".
  const char* kind() const;

 private:
  Data data_;
};

/// What a template may do in all: steps, and bytes and elements made. Throws Error when it is used up.
class Budget {
 public:
  void charge(size_t units);

 private:
  size_t left_ = size_t{48} << 20;
};

/// Throws Error for what has no place in a list (a namespace, a macro, `loop`) and for lists nested too deep.
Value make_sequence(SequenceKind kind, Values items, Budget& budget);
Value make_dict(Dict dict, Budget& budget);

/// Python's str() and repr().
std::string to_text(const Value& value, Budget& budget);
std::string to_repr(const Value& value, Budget& budget);
std::string number_text(double value);

bool equal(const Value& a, const Value& b, Budget& budget);
/// Python's a < b; throws Error where there is no order.
bool less(const Value& a, const Value& b, Budget& budget);
/// Python's `item in container`.
bool contains(const Value& container, const Value& item, Budget& budget);
/// What a loop over the value goes through; throws Error where there is nothing to loop over.
std::shared_ptr<const Sequence> iterate(const Value& value, Budget& budget);
/// Python's len(); throws Error.
int64_t length_of(const Value& value, Budget& budget);

}  // namespace hijack::jinja
