#include "models/chat_template/jinja/value.h"

#include <algorithm>

#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::jinja {
namespace {

constexpr size_t kDeepest = 100;

template <typename T>
const T* pointee(const Value& value) {
  const auto* found = value.get<std::shared_ptr<const T>>();
  return found ? found->get() : nullptr;
}

size_t depth_of(const Value& value) {
  if (value.as_namespace() || value.as_callable() || value.as_loop())
    throw Error("a namespace, a macro or loop in a list is not supported");
  if (const Sequence* sequence = value.as_sequence()) return sequence->depth;
  if (const Dict* dict = value.as_dict()) return dict->depth;
  return 0;
}

size_t check_depth(size_t inner) {
  if (inner + 1 > kDeepest) throw Error("it nests lists too deeply");
  return inner + 1;
}

}  // namespace

const Value* Dict::find(const Value& key) const {
  Budget unlimited;
  for (const auto& [name, value] : items)
    if (equal(name, key, unlimited)) return &value;
  return nullptr;
}

void Dict::set(const Value& key, const Value& value) {
  Budget unlimited;
  for (auto& [name, old] : items)
    if (equal(name, key, unlimited)) {
      old = value;
      return;
    }
  items.emplace_back(key, value);
}

Value Value::undefined(std::string name) {
  return Data(Undefined{std::make_shared<const std::string>(std::move(name))});
}

const std::string* Value::as_text() const {
  return pointee<std::string>(*this);
}
const Sequence* Value::as_sequence() const {
  return pointee<Sequence>(*this);
}
const Dict* Value::as_dict() const {
  return pointee<Dict>(*this);
}
const Loop* Value::as_loop() const {
  return pointee<Loop>(*this);
}
const Callable* Value::as_callable() const {
  return pointee<Callable>(*this);
}
Namespace* Value::as_namespace() const {
  const auto* found = get<std::shared_ptr<Namespace>>();
  return found ? found->get() : nullptr;
}

const int64_t* Value::as_integer(int64_t& room) const {
  if (const bool* flag = get<bool>()) {
    room = *flag ? 1 : 0;
    return &room;
  }
  return get<int64_t>();
}

double Value::as_double() const {
  int64_t room = 0;
  if (const int64_t* whole = as_integer(room)) return static_cast<double>(*whole);
  return *get<double>();
}

bool Value::truth() const {
  if (is_undefined() || is_none()) return false;
  if (is_number()) return as_double() != 0;
  if (const auto* text = as_text()) return !text->empty();
  if (const auto* sequence = as_sequence())
    return sequence->kind == SequenceKind::once || !sequence->items.empty();
  if (const auto* dict = as_dict()) return !dict->items.empty();
  return true;
}

const char* Value::kind() const {
  if (is_undefined()) return "an undefined value";
  if (is_none()) return "none";
  if (is<bool>()) return "a truth value";
  if (is_number()) return "a number";
  if (as_text()) return "a text";
  if (as_dict()) return "a mapping";
  if (const auto* sequence = as_sequence())
    return sequence->kind == SequenceKind::tuple ? "a tuple" : "a list";
  return as_namespace() ? "a namespace" : as_loop() ? "loop" : "a function";
}

void Budget::charge(size_t units) {
  if (units > left_) throw Error("it takes too many steps or makes too much text");
  left_ -= units;
}

Value make_sequence(SequenceKind kind, Values items, Budget& budget) {
  budget.charge(64 + 32 * items.size());
  Sequence made{.kind = kind, .items = std::move(items)};
  size_t inner = 0;
  for (const Value& item : made.items) inner = std::max(inner, depth_of(item));
  made.depth = check_depth(inner);
  return Value::Data(std::make_shared<const Sequence>(std::move(made)));
}

Value make_dict(Dict dict, Budget& budget) {
  budget.charge(64 + 64 * dict.items.size());
  size_t inner = 0;
  for (const auto& [key, value] : dict.items) {
    if (!key.as_text() && !key.is_number() && !key.is_none())
      throw Error(std::string(key.kind()) + " as the key of a mapping is not supported");
    inner = std::max(inner, depth_of(value));
  }
  dict.depth = check_depth(inner);
  return Value::Data(std::make_shared<const Dict>(std::move(dict)));
}

std::shared_ptr<const Sequence> iterate(const Value& value, Budget& budget) {
  if (const auto* sequence = value.get<std::shared_ptr<const Sequence>>()) {
    if ((*sequence)->kind != SequenceKind::once) return *sequence;
    if ((*sequence)->used) return std::make_shared<const Sequence>();
    (*sequence)->used = true;
    return *sequence;
  }
  auto made = std::make_shared<Sequence>();
  if (const auto* dict = value.as_dict()) {
    for (const auto& item : dict->items) made->items.push_back(item.first);
  } else if (const auto* text = value.as_text()) {
    budget.charge(64 * text->size());
    for (size_t at = 0; at < text->size();) {
      const size_t length = unicode::decode(*text, at).length;
      made->items.push_back(Value::text(text->substr(at, length)));
      at += length;
    }
  } else if (!value.is_undefined()) {
    throw Error(std::string(value.kind()) + " cannot be looped over");
  }
  budget.charge(32 * made->items.size());
  return made;
}

int64_t length_of(const Value& value, Budget& budget) {
  if (const auto* text = value.as_text()) {
    budget.charge(text->size() / 8);
    return static_cast<int64_t>(unicode::count(*text));
  }
  if (const auto* dict = value.as_dict()) return static_cast<int64_t>(dict->items.size());
  const auto* sequence = value.as_sequence();
  if (sequence && sequence->kind != SequenceKind::once) return static_cast<int64_t>(sequence->items.size());
  if (const auto* loop = value.as_loop()) return static_cast<int64_t>(loop->items->items.size());
  if (value.is_undefined()) return 0;
  throw Error(std::string(sequence ? "a generator" : value.kind()) + " has no length");
}

}  // namespace hijack::jinja
