#pragma once
#include <string>

#include "models/chat_template/jinja/value.h"

// What the language does with values: "a.b", "a[b]", "a[b:c]", "a + b".
namespace hijack::jinja {

/// Undefined where there is no such attribute or item. Throws Error for those of an undefined value.
Value attribute_of(const Value& object, const std::string& name, Budget& budget);
Value item_of(const Value& object, const Value& key, Budget& budget);
/// from, to, step: undefined or none where left out.
Value slice_of(const Value& object, const Value& from, const Value& to, const Value& step, Budget& budget);
Value arithmetic(const std::string& sign, const Value& a, const Value& b, Budget& budget);
Value negative_of(const Value& value);
[[noreturn]] void fail_undefined(const Value& value);

}  // namespace hijack::jinja
