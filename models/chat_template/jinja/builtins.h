#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/chat_template/jinja/value.h"

// What templates can call: filters, tests, methods of texts, lists and mappings, and global functions.
namespace hijack::jinja {

struct Arguments {
  Values parts = {};
  std::vector<std::pair<std::string, Value>> named = {};

  /// The arguments in the order of `names`, as Python binds them; undefined for those that are not given.
  /// Throws Error for too many, and for unknown names. `whose`: "the filter 'join'".
  Values bind(const std::string& whose, const std::vector<std::string_view>& names) const;
};

/// Throws Error where the value is something else. `what`: "the width of the filter 'indent'".
int64_t whole_of(const Value& value, const std::string& what);
const std::string& text_of(const Value& value, const std::string& what);

bool has_filter(std::string_view name);
bool has_test(std::string_view name);
bool has_function(std::string_view name);
Value apply_filter(const std::string& name, const Value& subject, const Arguments& arguments, Budget& budget);
bool apply_test(const std::string& name, const Value& subject, const Arguments& arguments, Budget& budget);
Value call_function(const std::string& name, const Arguments& arguments, Budget& budget);
/// Whether Python has a method of this name, supported or not.
bool has_method(const Value& self, std::string_view name);
Value call_method(const Value& self, const std::string& name, const Arguments& arguments, Budget& budget);

/// What raise_exception of a template throws, as a sentence.
std::string refusal(const std::string& message);

/// json.dumps(value, ensure_ascii=False): indent < 0 is all in one line.
struct JsonStyle {
  int64_t indent = -1;
  std::string comma = ", ", colon = ": ";
  bool sorted = false;
};
std::string to_json(const Value& value, const JsonStyle& style, Budget& budget);

/// The pairs of a mapping, as tuples.
Values pairs_of(const Dict& dict, Budget& budget);
Value text_value(std::string text, Budget& budget);

}  // namespace hijack::jinja
