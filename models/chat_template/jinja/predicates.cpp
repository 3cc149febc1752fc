#include <algorithm>

#include "models/chat_template/jinja/builtins.h"
#include "models/chat_template/jinja/operations.h"
#include "src/base/error.h"

// The tests of "is".
namespace hijack::jinja {
namespace {

struct Asked {
  const Value& subject;
  const Value& other;  ///< the argument, undefined when there is none
  Budget& budget;
};

bool is_sequence(const Asked& asked) {
  const auto* list = asked.subject.as_sequence();
  return (list && list->kind != SequenceKind::once) || asked.subject.as_text() || asked.subject.as_dict() ||
         asked.subject.is_undefined();
}

bool is_iterable(const Asked& asked) {
  return asked.subject.as_sequence() || asked.subject.as_loop() || is_sequence(asked);
}

bool is_same(const Asked& asked) {
  const Value &a = asked.subject, &b = asked.other;
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (a.is<bool>() || b.is<bool>()) return a.is<bool>() && b.is<bool>() && a.truth() == b.truth();
  throw Error("'is sameas' of anything but none, true and false is not supported");
}

int64_t rest_of(const Asked& asked, const Value& divisor) {
  const Value rest = arithmetic("%", asked.subject, divisor, asked.budget);
  return whole_of(rest, "what is divided");
}

bool before(const Asked& asked, bool turned, bool also_equal) {
  const Value &a = turned ? asked.other : asked.subject, &b = turned ? asked.subject : asked.other;
  if (a.is_undefined()) fail_undefined(a);
  if (b.is_undefined()) fail_undefined(b);
  return less(a, b, asked.budget) || (also_equal && equal(a, b, asked.budget));
}

bool is_equal(const Asked& asked) {
  return equal(asked.subject, asked.other, asked.budget);
}

using Test = bool (*)(const Asked&);
struct TestRow {
  std::string_view name;
  bool needs_other;
  Test test;
};
const TestRow kTests[] = {
    {"defined", false, [](const Asked& a) { return !a.subject.is_undefined(); }},
    {"undefined", false, [](const Asked& a) { return a.subject.is_undefined(); }},
    {"none", false, [](const Asked& a) { return a.subject.is_none(); }},
    {"string", false, [](const Asked& a) { return a.subject.as_text() != nullptr; }},
    {"number", false, [](const Asked& a) { return a.subject.is_number(); }},
    {"integer", false, [](const Asked& a) { return a.subject.is<int64_t>(); }},
    {"float", false, [](const Asked& a) { return a.subject.is<double>(); }},
    {"boolean", false, [](const Asked& a) { return a.subject.is<bool>(); }},
    {"true", false, [](const Asked& a) { return a.subject.is<bool>() && a.subject.truth(); }},
    {"false", false, [](const Asked& a) { return a.subject.is<bool>() && !a.subject.truth(); }},
    {"mapping", false, [](const Asked& a) { return a.subject.as_dict() != nullptr; }},
    {"sequence", false, is_sequence},
    {"iterable", false, is_iterable},
    {"callable", false, [](const Asked& a) { return a.subject.as_callable() != nullptr; }},
    {"sameas", true, is_same},
    {"equalto", true, is_equal},
    {"eq", true, is_equal},
    {"==", true, is_equal},
    {"ne", true, [](const Asked& a) { return !is_equal(a); }},
    {"!=", true, [](const Asked& a) { return !is_equal(a); }},
    {"lt", true, [](const Asked& a) { return before(a, false, false); }},
    {"lessthan", true, [](const Asked& a) { return before(a, false, false); }},
    {"<", true, [](const Asked& a) { return before(a, false, false); }},
    {"le", true, [](const Asked& a) { return before(a, false, true); }},
    {"<=", true, [](const Asked& a) { return before(a, false, true); }},
    {"gt", true, [](const Asked& a) { return before(a, true, false); }},
    {"greaterthan", true, [](const Asked& a) { return before(a, true, false); }},
    {">", true, [](const Asked& a) { return before(a, true, false); }},
    {"ge", true, [](const Asked& a) { return before(a, true, true); }},
    {">=", true, [](const Asked& a) { return before(a, true, true); }},
    {"in", true, [](const Asked& a) { return contains(a.other, a.subject, a.budget); }},
    {"odd", false, [](const Asked& a) { return rest_of(a, Value::integer(2)) == 1; }},
    {"even", false, [](const Asked& a) { return rest_of(a, Value::integer(2)) == 0; }},
    {"divisibleby", true, [](const Asked& a) { return rest_of(a, a.other) == 0; }},
};

}  // namespace

bool has_test(std::string_view name) {
  return std::any_of(std::begin(kTests), std::end(kTests),
                     [&](const TestRow& row) { return row.name == name; });
}

bool apply_test(const std::string& name, const Value& subject, const Arguments& arguments, Budget& budget) {
  for (const TestRow& row : kTests) {
    if (row.name != name) continue;
    const size_t wanted = row.needs_other ? 1 : 0;
    if (arguments.parts.size() != wanted || !arguments.named.empty())
      throw Error("the test '" + name + "' takes " + (wanted ? "one argument" : "no argument"));
    return row.test({subject, wanted ? arguments.parts.front() : Value(), budget});
  }
  throw Error("the test '" + name + "' is not supported");
}

}  // namespace hijack::jinja
