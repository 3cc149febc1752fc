#include <algorithm>
#include <functional>

#include "models/chat_template/jinja/builtins.h"
#include "models/chat_template/jinja/texts.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

// Methods of Python's str, list, tuple and dict.
namespace hijack::jinja {
namespace {

/// All that Python has: what stands here but is not called below is refused by name, never taken for an item.
constexpr std::string_view kTextMethods =
    " capitalize casefold center count encode endswith expandtabs find format format_map index isalnum "
    "isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper "
    "join ljust lower lstrip maketrans partition removeprefix removesuffix replace rfind rindex rjust "
    "rpartition rsplit rstrip split splitlines startswith strip swapcase title translate upper zfill ";
constexpr std::string_view kDictMethods =
    " clear copy fromkeys get items keys pop popitem setdefault update values ";
constexpr std::string_view kListMethods =
    " append clear copy count extend index insert pop remove reverse sort ";
constexpr std::string_view kTupleMethods = " count index ";
constexpr std::string_view kNumberMethods =
    " as_integer_ratio bit_count bit_length conjugate denominator from_bytes fromhex hex imag is_integer "
    "numerator real to_bytes ";

std::string_view methods_of(const Value& value) {
  if (value.as_text()) return kTextMethods;
  if (value.as_dict()) return kDictMethods;
  if (value.as_loop()) return " cycle ";
  if (value.is_number()) return kNumberMethods;
  const auto* list = value.as_sequence();
  if (!list) return "";
  return list->kind == SequenceKind::list    ? kListMethods
         : list->kind == SequenceKind::tuple ? kTupleMethods
                                             : "";
}

struct Call {
  const Value& self;
  const std::string& name;
  const Arguments& arguments;
  Budget& budget;

  const std::string& text() const { return *self.as_text(); }
  std::string whose() const { return "the method '" + name + "'"; }
  Values bind(const std::vector<std::string_view>& names) const { return arguments.bind(whose(), names); }
};

std::optional<std::string> optional_text(const Call& call, const Value& value) {
  if (value.is_undefined() || value.is_none()) return {};
  return text_of(value, "the argument of " + call.whose());
}

int64_t optional_whole(const Call& call, const Value& value, int64_t otherwise) {
  return value.is_undefined() ? otherwise : whole_of(value, "an argument of " + call.whose());
}

Value text_list(const std::vector<std::string>& texts, Budget& budget) {
  Values made;
  for (const auto& one : texts) made.push_back(text_value(one, budget));
  return make_sequence(SequenceKind::list, std::move(made), budget);
}

Value strip_call(const Call& call) {
  const auto characters = optional_text(call, call.bind({"characters"})[0]);
  call.budget.charge(call.text().size() * (1 + (characters ? characters->size() / 8 : 0)));
  return text_value(stripped(call.text(), characters, call.name != "rstrip", call.name != "lstrip"),
                    call.budget);
}

Value split_call(const Call& call) {
  const Values given = call.bind({"sep", "maxsplit"});
  const auto separator = optional_text(call, given[0]);
  if (separator && separator->empty()) throw Error("the separator of " + call.whose() + " is empty");
  const int64_t most = optional_whole(call, given[1], -1);
  call.budget.charge(32 * call.text().size());
  if (call.name == "split" || most < 0) return text_list(split(call.text(), separator, most), call.budget);
  if (!separator) throw Error("rsplit at white space with a limit is not supported");
  auto parts = split(call.text(), separator, -1);
  const size_t keep = static_cast<size_t>(std::min<int64_t>(most, static_cast<int64_t>(parts.size()) - 1));
  std::string first = parts.front();
  for (size_t i = 1; i + keep < parts.size(); ++i) first += *separator + parts[i];
  std::vector<std::string> made = {first};
  made.insert(made.end(), parts.end() - static_cast<std::ptrdiff_t>(keep), parts.end());
  return text_list(made, call.budget);
}

bool at_end_of(const Call& call, const std::string& part) {
  call.budget.charge(part.size() / 8);
  return call.name == "startswith" ? call.text().starts_with(part) : call.text().ends_with(part);
}

Value ends_call(const Call& call) {
  const Value part = call.bind({"part"})[0];
  const auto* several = part.as_sequence();
  if (!several || several->kind != SequenceKind::tuple)
    return Value::boolean(at_end_of(call, text_of(part, "the argument of " + call.whose())));
  for (const Value& one : several->items)
    if (at_end_of(call, text_of(one, "a part of the argument of " + call.whose())))
      return Value::boolean(true);
  return Value::boolean(false);
}

Value replace_call(const Call& call) {
  const Values given = call.bind({"old", "new", "count"});
  const std::string &from = text_of(given[0], "what to replace"), &to = text_of(given[1], "what to put in");
  const size_t most = from.empty() ? call.text().size() + 1 : call.text().size() / from.size();
  call.budget.charge(call.text().size() + most * std::min(to.size(), size_t{1} << 26));
  return text_value(replaced(call.text(), from, to, optional_whole(call, given[2], -1)), call.budget);
}

Value find_call(const Call& call) {
  const std::string part = text_of(call.bind({"part"})[0], "what to find");
  call.budget.charge(call.text().size());
  const bool last = call.name[0] == 'r';
  const size_t at = last ? call.text().rfind(part) : call.text().find(part);
  if (at == std::string::npos && call.name.ends_with("index")) throw Error("index does not find the text");
  return Value::integer(at == std::string::npos ? -1
                                                : static_cast<int64_t>(unicode::count(
                                                      std::string_view(call.text()).substr(0, at))));
}

Value count_call(const Call& call) {
  const std::string part = text_of(call.bind({"part"})[0], "what to count");
  call.budget.charge(call.text().size());
  if (part.empty()) return Value::integer(static_cast<int64_t>(unicode::count(call.text())) + 1);
  int64_t found = 0;
  for (size_t at = call.text().find(part); at != std::string::npos;
       at = call.text().find(part, at + part.size()))
    ++found;
  return Value::integer(found);
}

Value case_call(const Call& call) {
  call.bind({});
  call.budget.charge(4 * call.text().size());
  const std::string& text = call.text();
  return text_value(call.name == "upper"   ? uppercase(text)
                    : call.name == "lower" ? lowercase(text)
                    : call.name == "title" ? titled(text, false)
                                           : capitalized(text),
                    call.budget);
}

Value lines_call(const Call& call) {
  call.bind({});
  call.budget.charge(32 * call.text().size());
  return text_list(split_lines(call.text()), call.budget);
}

Value join_call(const Call& call) {
  const auto items = iterate(call.bind({"items"})[0], call.budget);
  std::string made;
  for (size_t i = 0; i < items->items.size(); ++i) {
    const std::string& one = text_of(items->items[i], "what join is given");
    call.budget.charge(call.text().size() + one.size());
    made += (i > 0 ? call.text() : "") + one;
  }
  return Value::text(std::move(made));
}

Value remove_call(const Call& call) {
  const std::string part = text_of(call.bind({"part"})[0], "the argument of " + call.whose());
  std::string made = call.text();
  call.budget.charge(made.size());
  if (call.name == "removeprefix" && made.starts_with(part)) made.erase(0, part.size());
  if (call.name == "removesuffix" && made.ends_with(part)) made.resize(made.size() - part.size());
  return Value::text(std::move(made));
}

Value get_call(const Call& call) {
  const Values given = call.bind({"key", "default"});
  call.budget.charge(8 * call.self.as_dict()->items.size());
  if (const Value* found = call.self.as_dict()->find(given[0])) return *found;
  return given[1].is_undefined() && call.arguments.parts.size() < 2 ? Value::none() : given[1];
}

Value items_call(const Call& call) {
  call.bind({});
  Values made;
  if (call.name == "items") {
    made = pairs_of(*call.self.as_dict(), call.budget);
  } else {
    for (const auto& [key, value] : call.self.as_dict()->items)
      made.push_back(call.name == "keys" ? key : value);
  }
  return make_sequence(SequenceKind::view, std::move(made), call.budget);
}

Value copy_call(const Call& call) {
  call.bind({});
  return call.self;
}

Value list_count_call(const Call& call) {
  const Value item = call.bind({"item"})[0];
  int64_t found = 0, place = -1;
  const auto& items = call.self.as_sequence()->items;
  for (size_t i = 0; i < items.size(); ++i)
    if (equal(items[i], item, call.budget)) {
      ++found;
      if (place < 0) place = static_cast<int64_t>(i);
    }
  if (call.name == "index" && place < 0) throw Error("index does not find the item");
  return Value::integer(call.name == "index" ? place : found);
}

Value cycle_call(const Call& call) {
  const auto& parts = call.arguments.parts;
  if (parts.empty()) throw Error("loop.cycle needs an argument");
  return parts[call.self.as_loop()->index % parts.size()];
}

using Method = Value (*)(const Call&);
using MethodRow = std::pair<std::string_view, Method>;
const MethodRow kTexts[] = {
    {"strip", strip_call},   {"lstrip", strip_call},        {"rstrip", strip_call},
    {"split", split_call},   {"rsplit", split_call},        {"startswith", ends_call},
    {"endswith", ends_call}, {"replace", replace_call},     {"find", find_call},
    {"rfind", find_call},    {"index", find_call},          {"rindex", find_call},
    {"count", count_call},   {"upper", case_call},          {"lower", case_call},
    {"title", case_call},    {"capitalize", case_call},     {"splitlines", lines_call},
    {"join", join_call},     {"removeprefix", remove_call}, {"removesuffix", remove_call}};
const MethodRow kDicts[] = {{"get", get_call},
                            {"items", items_call},
                            {"keys", items_call},
                            {"values", items_call},
                            {"copy", copy_call}};
const MethodRow kLists[] = {{"index", list_count_call}, {"count", list_count_call}, {"copy", copy_call}};
const MethodRow kLoops[] = {{"cycle", cycle_call}};

template <size_t n>
Method find_in(const MethodRow (&rows)[n], std::string_view name) {
  for (const auto& [known, method] : rows)
    if (known == name) return method;
  return nullptr;
}

}  // namespace

bool has_method(const Value& self, std::string_view name) {
  if (name.empty() || name.find(' ') != name.npos) return false;
  return methods_of(self).find(" " + std::string(name) + " ") != std::string_view::npos;
}

Value call_method(const Value& self, const std::string& name, const Arguments& arguments, Budget& budget) {
  const Method method = self.as_text()       ? find_in(kTexts, name)
                        : self.as_dict()     ? find_in(kDicts, name)
                        : self.as_loop()     ? find_in(kLoops, name)
                        : self.as_sequence() ? find_in(kLists, name)
                                             : nullptr;
  if (!method) throw Error("the method '" + name + "' of " + self.kind() + " is not supported");
  return method({self, name, arguments, budget});
}

Values pairs_of(const Dict& dict, Budget& budget) {
  Values made;
  for (const auto& [key, value] : dict.items)
    made.push_back(make_sequence(SequenceKind::tuple, {key, value}, budget));
  return made;
}

}  // namespace hijack::jinja
