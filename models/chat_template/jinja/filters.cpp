#include <algorithm>
#include <charconv>
#include <cmath>

#include "models/chat_template/jinja/builtins.h"
#include "models/chat_template/jinja/operations.h"
#include "models/chat_template/jinja/texts.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::jinja {
namespace {

struct Applied {
  const std::string& name;
  const Value& subject;
  const Arguments& arguments;
  Budget& budget;

  std::string whose() const { return "the filter '" + name + "'"; }
  Values bind(const std::vector<std::string_view>& names) const { return arguments.bind(whose(), names); }
  /// The subject as text, whatever it is.
  std::string text() const { return to_text(subject, budget); }
};

Value trim(const Applied& run) {
  const Value given = run.bind({"chars"})[0];
  std::optional<std::string> characters;
  if (!given.is_undefined() && !given.is_none()) characters = text_of(given, "the characters of trim");
  const std::string text = run.text();
  run.budget.charge(text.size() * (1 + (characters ? characters->size() / 8 : 0)));
  return text_value(stripped(text, characters, true, true), run.budget);
}

Value change_case(const Applied& run) {
  run.bind({});
  const std::string text = run.text();
  run.budget.charge(4 * text.size());
  return text_value(run.name == "upper"   ? uppercase(text)
                    : run.name == "lower" ? lowercase(text)
                    : run.name == "title" ? titled(text, true)
                                          : capitalized(text),
                    run.budget);
}

/// "content.0.text" of an item.
Value by_path(const Value& item, const Value& path, Budget& budget) {
  int64_t room = 0;
  if (path.as_integer(room)) return item_of(item, path, budget);
  Value found = item;
  for (const std::string& part : split(text_of(path, "an attribute"), ".", -1)) {
    const bool digits =
        !part.empty() && part.find_first_not_of("0123456789") == part.npos && part.size() < 10;
    found = item_of(found, digits ? Value::integer(std::stoll(part)) : Value::text(part), budget);
  }
  return found;
}

Value join(const Applied& run) {
  const Values given = run.bind({"d", "attribute"});
  const std::string between = to_text(given[0], run.budget);
  const auto items = iterate(run.subject, run.budget);
  std::string made;
  for (size_t i = 0; i < items->items.size(); ++i) {
    const bool whole = given[1].is_undefined() || given[1].is_none();
    const Value one = whole ? items->items[i] : by_path(items->items[i], given[1], run.budget);
    run.budget.charge(between.size());
    made += (i > 0 ? between : "") + to_text(one, run.budget);
  }
  return text_value(std::move(made), run.budget);
}

Value length(const Applied& run) {
  run.bind({});
  return Value::integer(length_of(run.subject, run.budget));
}

Value first(const Applied& run) {
  run.bind({});
  const auto items = iterate(run.subject, run.budget);
  return items->items.empty() ? Value::undefined("the first item") : items->items.front();
}

Value last(const Applied& run) {
  run.bind({});
  if (run.subject.as_sequence() && run.subject.as_sequence()->kind == SequenceKind::once)
    throw Error("the last of a generator is not supported; put | list before it");
  const auto items = iterate(run.subject, run.budget);
  return items->items.empty() ? Value::undefined("the last item") : items->items.back();
}

Value list(const Applied& run) {
  run.bind({});
  return make_sequence(SequenceKind::list, iterate(run.subject, run.budget)->items, run.budget);
}

Value reverse(const Applied& run) {
  run.bind({});
  Values items = iterate(run.subject, run.budget)->items;
  std::reverse(items.begin(), items.end());
  if (!run.subject.as_text()) return make_sequence(SequenceKind::once, std::move(items), run.budget);
  std::string made;
  for (const Value& one : items) made += *one.as_text();
  return text_value(std::move(made), run.budget);
}

Value map(const Applied& run) {
  Values made;
  const auto items = iterate(run.subject, run.budget);
  if (run.arguments.parts.empty()) {
    const Values given = run.bind({"attribute", "default"});
    if (given[0].is_undefined()) throw Error("map needs a filter or an attribute");
    for (const Value& item : items->items) {
      Value found = by_path(item, given[0], run.budget);
      made.push_back(found.is_undefined() && !given[1].is_undefined() ? given[1] : found);
    }
  } else {
    const std::string& name = text_of(run.arguments.parts.front(), "the filter of map");
    if (!has_filter(name)) throw Error("the filter '" + unicode::excerpt(name) + "' is not supported");
    const Arguments rest{.parts = {run.arguments.parts.begin() + 1, run.arguments.parts.end()},
                         .named = run.arguments.named};
    for (const Value& item : items->items) {
      run.budget.charge(64);
      made.push_back(apply_filter(name, item, rest, run.budget));
    }
  }
  return make_sequence(SequenceKind::once, std::move(made), run.budget);
}

/// select, reject, selectattr, rejectattr.
Value choose(const Applied& run) {
  Values parts = run.arguments.parts;
  const bool by_attribute = run.name.ends_with("attr"), wanted = run.name.starts_with("select");
  if (!run.arguments.named.empty()) throw Error("named arguments of " + run.whose() + " are not supported");
  Value path;
  if (by_attribute) {
    if (parts.empty()) throw Error(run.whose() + " needs an attribute");
    path = parts.front();
    parts.erase(parts.begin());
  }
  const std::string name = parts.empty() ? "" : text_of(parts.front(), "the test of " + run.whose());
  if (!name.empty() && !has_test(name))
    throw Error("the test '" + unicode::excerpt(name) + "' is not supported");
  const Arguments rest{.parts = parts.empty() ? Values() : Values(parts.begin() + 1, parts.end())};
  Values made;
  const auto all = iterate(run.subject, run.budget);
  for (const Value& item : all->items) {
    run.budget.charge(64);
    const Value asked = by_attribute ? by_path(item, path, run.budget) : item;
    if ((name.empty() ? asked.truth() : apply_test(name, asked, rest, run.budget)) == wanted)
      made.push_back(item);
  }
  return make_sequence(SequenceKind::once, std::move(made), run.budget);
}

Value tojson(const Applied& run) {
  const Values given = run.bind({"ensure_ascii", "indent", "separators", "sort_keys"});
  if (given[0].truth()) throw Error("tojson with ensure_ascii is not supported");
  JsonStyle style{.sorted = given[3].truth()};
  if (!given[1].is_undefined() && !given[1].is_none()) {
    style.indent = std::max<int64_t>(0, whole_of(given[1], "the indent of tojson"));
    if (style.indent > 100) throw Error("the indent of tojson is too large");
    style.comma = ",";
  }
  if (!given[2].is_undefined() && !given[2].is_none()) {
    const auto both = iterate(given[2], run.budget);
    if (both->items.size() != 2) throw Error("the separators of tojson must be two");
    style.comma = text_of(both->items[0], "a separator of tojson");
    style.colon = text_of(both->items[1], "a separator of tojson");
  }
  return text_value(to_json(run.subject, style, run.budget), run.budget);
}

Value otherwise(const Applied& run) {
  const Values given = run.bind({"default_value", "boolean"});
  if (!run.subject.is_undefined() && (!given[1].truth() || run.subject.truth())) return run.subject;
  const bool none_given = run.arguments.parts.empty() && given[0].is_undefined();
  return none_given ? Value::text("") : given[0];
}

Value replace(const Applied& run) {
  const Values given = run.bind({"old", "new", "count"});
  const std::string text = run.text(), from = to_text(given[0], run.budget),
                    to = to_text(given[1], run.budget);
  const int64_t most =
      given[2].is_undefined() || given[2].is_none() ? -1 : whole_of(given[2], "the count of replace");
  run.budget.charge(text.size() + (from.empty() ? text.size() + 1 : text.size() / from.size()) * to.size());
  return text_value(replaced(text, from, to, most), run.budget);
}

Value items(const Applied& run) {
  run.bind({});
  if (run.subject.is_undefined()) return make_sequence(SequenceKind::once, {}, run.budget);
  if (!run.subject.as_dict())
    throw Error(std::string("the items of ") + run.subject.kind() + " are not supported");
  return make_sequence(SequenceKind::once, pairs_of(*run.subject.as_dict(), run.budget), run.budget);
}

Value string(const Applied& run) {
  run.bind({});
  return Value::text(run.text());
}

/// Python's float(text), without "nan" and "inf".
std::optional<double> read_number(const std::string& text) {
  std::string plain = stripped(text, {}, true, true);
  if (plain.starts_with('+')) plain.erase(0, 1);
  double value = 0;
  const auto read = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  const bool all = read.ec == std::errc() && read.ptr == plain.data() + plain.size();
  return all && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

Value to_int(const Applied& run) {
  const Values given = run.bind({"default", "base"});
  if (!given[1].is_undefined() && whole_of(given[1], "the base of int") != 10)
    throw Error("a base of the filter 'int' but 10 is not supported");
  int64_t room = 0;
  if (const int64_t* whole = run.subject.as_integer(room)) return Value::integer(*whole);
  std::optional<double> value;
  if (const auto* number = run.subject.get<double>()) value = *number;
  if (const auto* text = run.subject.as_text()) {
    const std::string plain = stripped(*text, {}, true, true);
    const char* begin = plain.data() + (plain.starts_with('+') ? 1 : 0);
    const auto read = std::from_chars(begin, plain.data() + plain.size(), room);
    if (read.ec == std::errc() && read.ptr == plain.data() + plain.size()) return Value::integer(room);
    value = read_number(*text);
  }
  if (run.subject.is_undefined()) fail_undefined(run.subject);
  if (!value) return given[0].is_undefined() ? Value::integer(0) : given[0];
  if (!(std::fabs(*value) < 9e18)) throw Error("a number is too large");
  return Value::integer(static_cast<int64_t>(*value));
}

Value to_float(const Applied& run) {
  const Value given = run.bind({"default"})[0];
  if (run.subject.is_number()) return Value::number(run.subject.as_double());
  if (run.subject.is_undefined()) fail_undefined(run.subject);
  if (const auto* text = run.subject.as_text())
    if (const auto value = read_number(*text)) return Value::number(*value);
  return given.is_undefined() ? Value::number(0) : given;
}

Value absolute(const Applied& run) {
  run.bind({});
  const bool below = run.subject.is_number() && run.subject.as_double() < 0;
  return below ? negative_of(run.subject) : arithmetic("+", run.subject, Value::integer(0), run.budget);
}

Value indent(const Applied& run) {
  const Values given = run.bind({"width", "first", "blank"});
  std::string by = "    ";
  if (const auto* text = given[0].as_text())
    by = *text;
  else if (!given[0].is_undefined())
    by = std::string(
        static_cast<size_t>(std::clamp<int64_t>(whole_of(given[0], "the width of indent"), 0, 1000)), ' ');
  const std::string text = text_of(run.subject, "what indent is given") + "\n";
  run.budget.charge(64 * text.size());
  const auto lines = split_lines(text);
  std::string made = given[1].truth() ? by : "";
  for (size_t i = 0; i < lines.size(); ++i) {
    run.budget.charge(by.size());
    if (i > 0) made += "\n" + (given[2].truth() || !lines[i].empty() ? by : "");
    made += lines[i];
  }
  return text_value(std::move(made), run.budget);
}

using Filter = Value (*)(const Applied&);
const std::pair<std::string_view, Filter> kFilters[] = {
    {"trim", trim},         {"upper", change_case}, {"lower", change_case}, {"capitalize", change_case},
    {"title", change_case}, {"join", join},         {"length", length},     {"count", length},
    {"first", first},       {"last", last},         {"list", list},         {"reverse", reverse},
    {"map", map},           {"select", choose},     {"reject", choose},     {"selectattr", choose},
    {"rejectattr", choose}, {"tojson", tojson},     {"default", otherwise}, {"d", otherwise},
    {"replace", replace},   {"items", items},       {"string", string},     {"int", to_int},
    {"float", to_float},    {"abs", absolute},      {"indent", indent}};

}  // namespace

bool has_filter(std::string_view name) {
  return std::any_of(std::begin(kFilters), std::end(kFilters),
                     [&](const auto& one) { return one.first == name; });
}

Value apply_filter(const std::string& name, const Value& subject, const Arguments& arguments,
                   Budget& budget) {
  for (const auto& [known, filter] : kFilters)
    if (known == name) return filter({name, subject, arguments, budget});
  throw Error("the filter '" + unicode::excerpt(name) + "' is not supported");
}

}  // namespace hijack::jinja
