#include "models/chat_template/jinja/operations.h"

#include <cmath>
#include <limits>

#include "models/chat_template/jinja/builtins.h"
#include "models/chat_template/jinja/texts.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::jinja {
namespace {

Value loop_attribute(const Loop& loop, const std::string& name) {
  const auto& items = loop.items->items;
  const auto index = static_cast<int64_t>(loop.index), count = static_cast<int64_t>(items.size());
  if (name == "index") return Value::integer(index + 1);
  if (name == "index0") return Value::integer(index);
  if (name == "revindex") return Value::integer(count - index);
  if (name == "revindex0") return Value::integer(count - index - 1);
  if (name == "first") return Value::boolean(index == 0);
  if (name == "last") return Value::boolean(index + 1 == count);
  if (name == "length") return Value::integer(count);
  if (name == "depth") return Value::integer(1);  // of recursive loops, which are not supported
  if (name == "depth0") return Value::integer(0);
  if (name == "previtem")
    return index > 0 ? items[loop.index - 1] : Value::undefined("there is no previous item");
  if (name == "nextitem")
    return index + 1 < count ? items[loop.index + 1] : Value::undefined("there is no next item");
  if (name == "changed") throw Error("loop.changed is not supported");
  return Value::undefined("loop." + name);
}

Value indexed(const Value& object, int64_t index, Budget& budget) {
  if (const auto* text = object.as_text()) {
    budget.charge(text->size());
    const auto characters = characters_of(*text);
    const auto count = static_cast<int64_t>(characters.size());
    if (index < 0) index += count;
    if (index < 0 || index >= count) return Value::undefined("a character at that place");
    return Value::text(std::string(characters[static_cast<size_t>(index)]));
  }
  const auto* list = object.as_sequence();
  if (!list || list->kind == SequenceKind::once) return Value::undefined("an item at that place");
  const auto count = static_cast<int64_t>(list->items.size());
  if (index < 0) index += count;
  if (index < 0 || index >= count) return Value::undefined("an item at that place");
  return list->items[static_cast<size_t>(index)];
}

/// The places of a[from:to:step], as Python's slice.indices.
std::vector<size_t> slice_places(size_t size, const Value& from, const Value& to, const Value& step) {
  const auto given = [](const Value& value) { return !value.is_none(); };
  const int64_t by = given(step) ? whole_of(step, "the step of a slice") : 1;
  const auto count = static_cast<int64_t>(size);
  if (by == 0) throw Error("the step of a slice is 0");
  const int64_t low = by > 0 ? 0 : -1, high = by > 0 ? count : count - 1;
  const auto clamp = [&](const Value& value, int64_t otherwise) {
    if (!given(value)) return otherwise;
    int64_t place = whole_of(value, "a place of a slice");
    if (place < 0) place = place < -count ? low : place + count;
    return std::max(low, std::min(high, place));
  };
  const int64_t begin = clamp(from, by > 0 ? low : high), end = clamp(to, by > 0 ? high : low);
  std::vector<size_t> places;
  for (int64_t i = begin; by > 0 ? i < end : i > end;) {
    places.push_back(static_cast<size_t>(i));
    if (__builtin_add_overflow(i, by, &i)) break;
  }
  return places;
}

[[noreturn]] void too_large() {
  throw Error("a number is too large");
}

int64_t floor_divided(int64_t a, int64_t b) {
  if (b == -1 && a == std::numeric_limits<int64_t>::min()) too_large();
  const int64_t quotient = a / b;
  return quotient - (a % b != 0 && ((a < 0) != (b < 0)) ? 1 : 0);
}

int64_t remainder(int64_t a, int64_t b) {
  if (b == -1) return 0;
  const int64_t rest = a % b;
  return rest != 0 && ((rest < 0) != (b < 0)) ? rest + b : rest;
}

Value whole_power(int64_t a, int64_t b) {
  if (b < 0) {
    if (a == 0) throw Error("0 has no negative power");
    return Value::number(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
  if (a == 0 || a == 1) return Value::integer(b == 0 ? 1 : a);
  if (a == -1) return Value::integer(b % 2 == 0 ? 1 : -1);
  int64_t made = 1;
  for (; b > 0; --b)
    if (__builtin_mul_overflow(made, a, &made)) too_large();
  return Value::integer(made);
}

Value whole_arithmetic(const std::string& sign, int64_t a, int64_t b) {
  int64_t made = 0;
  bool over = false;
  if (sign == "+")
    over = __builtin_add_overflow(a, b, &made);
  else if (sign == "-")
    over = __builtin_sub_overflow(a, b, &made);
  else if (sign == "*")
    over = __builtin_mul_overflow(a, b, &made);
  else if (sign == "**")
    return whole_power(a, b);
  else if (b == 0)
    throw Error("a division by zero");
  else if (sign == "/")
    return Value::number(static_cast<double>(a) / static_cast<double>(b));
  else
    made = sign == "//" ? floor_divided(a, b) : remainder(a, b);
  if (over) too_large();
  return Value::integer(made);
}

Value real_arithmetic(const std::string& sign, double a, double b) {
  if (sign == "+") return Value::number(a + b);
  if (sign == "-") return Value::number(a - b);
  if (sign == "*") return Value::number(a * b);
  if (sign == "**") {
    const double made = std::pow(a, b);
    if (!std::isfinite(made)) throw Error("a power is no finite number");
    return Value::number(made);
  }
  if (b == 0) throw Error("a division by zero");
  if (sign == "/") return Value::number(a / b);
  double rest = std::fmod(a, b);
  if (rest != 0 && ((rest < 0) != (b < 0))) rest += b;
  if (rest == 0) rest = std::copysign(0.0, b);
  if (sign == "%") return Value::number(rest);
  const double quotient = (a - rest) / b, below = std::floor(quotient);
  return Value::number(quotient == 0            ? std::copysign(0.0, a / b)
                       : quotient - below > 0.5 ? below + 1
                                                : below);
}

Value repeated(const Value& value, int64_t times, Budget& budget) {
  const auto count = static_cast<size_t>(std::max<int64_t>(times, 0));
  constexpr size_t kMost = size_t{1} << 26;
  if (const auto* text = value.as_text()) {
    if (count > kMost && !text->empty()) budget.charge(std::numeric_limits<size_t>::max());
    budget.charge(text->size() * std::min(count, kMost));
    std::string made;
    for (size_t i = 0; i < count && !text->empty(); ++i) made += *text;
    return Value::text(std::move(made));
  }
  const auto* list = value.as_sequence();
  if (count > kMost && !list->items.empty()) budget.charge(std::numeric_limits<size_t>::max());
  budget.charge(32 * list->items.size() * std::min(count, kMost));
  Values made;
  for (size_t i = 0; i < count && !list->items.empty(); ++i)
    made.insert(made.end(), list->items.begin(), list->items.end());
  return make_sequence(list->kind, std::move(made), budget);
}

bool is_list(const Value& value) {
  return value.as_sequence() && value.as_sequence()->kind <= SequenceKind::tuple;
}

Value joined(const Sequence& a, const Sequence& b, Budget& budget) {
  Values made = a.items;
  budget.charge(32 * (a.items.size() + b.items.size()));
  made.insert(made.end(), b.items.begin(), b.items.end());
  return make_sequence(a.kind, std::move(made), budget);
}

}  // namespace

void fail_undefined(const Value& value) {
  throw Error("'" +
              unicode::excerpt(value.get<Undefined>()->name ? *value.get<Undefined>()->name : "a value") +
              "' is undefined");
}

Value attribute_of(const Value& object, const std::string& name, Budget& budget) {
  if (object.is_undefined()) fail_undefined(object);
  if (const Loop* loop = object.as_loop(); loop && name != "cycle") return loop_attribute(*loop, name);
  if (const Namespace* space = object.as_namespace()) {
    const auto found = space->values.find(name);
    return found == space->values.end() ? Value::undefined(name) : found->second;
  }
  if (has_method(object, name))
    return Value::Data(std::make_shared<const Callable>(
        Callable{.name = name, .self = std::make_shared<const Value>(object)}));
  if (const Dict* dict = object.as_dict()) {
    budget.charge(8 * dict->items.size());
    if (const Value* found = dict->find(Value::text(name))) return *found;
  }
  return Value::undefined(name);
}

Value item_of(const Value& object, const Value& key, Budget& budget) {
  if (object.is_undefined()) fail_undefined(object);
  if (const Dict* dict = object.as_dict()) {
    budget.charge(8 * dict->items.size());
    if (const Value* found = dict->find(key)) return *found;
  }
  int64_t room = 0;
  if (const int64_t* index = key.as_integer(room); index && !object.as_dict())
    return indexed(object, *index, budget);
  if (const auto* name = key.as_text()) return attribute_of(object, *name, budget);
  return Value::undefined("an item");
}

Value slice_of(const Value& object, const Value& from, const Value& to, const Value& step, Budget& budget) {
  if (object.is_undefined()) fail_undefined(object);
  if (const auto* text = object.as_text()) {
    budget.charge(16 * text->size());
    const auto characters = characters_of(*text);
    std::string made;
    for (const size_t place : slice_places(characters.size(), from, to, step)) made += characters[place];
    return text_value(std::move(made), budget);
  }
  if (!is_list(object)) throw Error(std::string("a slice of ") + object.kind() + " is not supported");
  const auto& items = object.as_sequence()->items;
  budget.charge(32 * items.size());
  Values made;
  for (const size_t place : slice_places(items.size(), from, to, step)) made.push_back(items[place]);
  return make_sequence(object.as_sequence()->kind, std::move(made), budget);
}

Value arithmetic(const std::string& sign, const Value& a, const Value& b, Budget& budget) {
  if (a.is_undefined()) fail_undefined(a);
  if (b.is_undefined()) fail_undefined(b);
  int64_t room_a = 0, room_b = 0;
  const int64_t *whole_a = a.as_integer(room_a), *whole_b = b.as_integer(room_b);
  if (whole_a && whole_b) return whole_arithmetic(sign, *whole_a, *whole_b);
  if (a.is_number() && b.is_number()) return real_arithmetic(sign, a.as_double(), b.as_double());
  if (sign == "+" && a.as_text() && b.as_text()) {
    budget.charge(a.as_text()->size() + b.as_text()->size());
    return Value::text(*a.as_text() + *b.as_text());
  }
  if (sign == "+" && is_list(a) && is_list(b) && a.as_sequence()->kind == b.as_sequence()->kind)
    return joined(*a.as_sequence(), *b.as_sequence(), budget);
  if (sign == "*" && whole_b && (a.as_text() || is_list(a))) return repeated(a, *whole_b, budget);
  if (sign == "*" && whole_a && (b.as_text() || is_list(b))) return repeated(b, *whole_a, budget);
  throw Error("'" + sign + "' between " + a.kind() + " and " + b.kind() + " is not supported");
}

Value negative_of(const Value& value) {
  if (value.is_undefined()) fail_undefined(value);
  int64_t room = 0;
  if (const int64_t* whole = value.as_integer(room)) return whole_arithmetic("-", 0, *whole);
  if (value.is_number()) return Value::number(-value.as_double());
  throw Error(std::string("'-' before ") + value.kind() + " is not supported");
}

}  // namespace hijack::jinja
