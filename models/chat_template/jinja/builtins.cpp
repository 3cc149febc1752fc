#include "models/chat_template/jinja/builtins.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include "models/chat_template/jinja/operations.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

// Global functions, and what all that can be called shares.
namespace hijack::jinja {

Values Arguments::bind(const std::string& whose, const std::vector<std::string_view>& names) const {
  if (parts.size() > names.size()) throw Error(whose + " is given too many arguments");
  Values made = parts;
  made.resize(names.size());
  for (const auto& [name, value] : named) {
    const auto found = std::find(names.begin(), names.end(), name);
    const auto place = static_cast<size_t>(found - names.begin());
    if (found == names.end() || place < parts.size())
      throw Error("the argument '" + unicode::excerpt(name) + "' of " + whose + " is not supported");
    made[place] = value;
  }
  return made;
}

int64_t whole_of(const Value& value, const std::string& what) {
  int64_t room = 0;
  if (const int64_t* whole = value.as_integer(room)) return *whole;
  throw Error(what + " must be a whole number, not " + value.kind());
}

const std::string& text_of(const Value& value, const std::string& what) {
  if (const auto* text = value.as_text()) return *text;
  throw Error(what + " must be a text, not " + value.kind());
}

Value text_value(std::string text, Budget& budget) {
  budget.charge(text.size());
  return Value::text(std::move(text));
}

std::string refusal(const std::string& message) {
  std::string line = unicode::excerpt(message);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20; }, ' ');
  return "the chat template refuses this conversation: " + line;
}

namespace {

Value range(const Arguments& arguments, Budget& budget) {
  Values given = arguments.bind("range", {"", "", ""});
  std::array<int64_t, 3> numbers = {0, 0, 1};
  size_t count = 0;
  while (count < 3 && !given[count].is_undefined()) {
    numbers[count] = whole_of(given[count], "an argument of range");
    ++count;
  }
  if (count == 0) throw Error("range needs a number");
  if (count == 1) std::swap(numbers[0], numbers[1]);
  const auto [begin, end, step] = numbers;
  if (step == 0) throw Error("the step of range is 0");
  constexpr double kMost = 100000;  // as jinja2's sandbox
  const double length =
      std::ceil((static_cast<double>(end) - static_cast<double>(begin)) / static_cast<double>(step));
  if (length > kMost) throw Error("range of more than 100000 numbers is not supported");
  Values made;
  budget.charge(32 * static_cast<size_t>(std::max(length, 0.0)));
  for (int64_t i = 0; i < static_cast<int64_t>(length); ++i) made.push_back(Value::integer(begin + i * step));
  return make_sequence(SequenceKind::view, std::move(made), budget);
}

/// The pairs that dict() and namespace() are made of.
Dict dict_of(const Arguments& arguments, Budget& budget) {
  if (arguments.parts.size() > 1) throw Error("dict and namespace take one argument without a name at most");
  Dict made;
  if (!arguments.parts.empty()) {
    const Dict* from = arguments.parts.front().as_dict();
    if (!from)
      throw Error(std::string("dict or namespace of ") + arguments.parts.front().kind() +
                  " is not supported");
    made.items = from->items;
  }
  budget.charge(64 * made.items.size());
  for (const auto& [name, value] : arguments.named) made.set(Value::text(name), value);
  return made;
}

Value make_namespace(const Arguments& arguments, Budget& budget) {
  auto made = std::make_shared<Namespace>();
  budget.charge(256);
  for (const auto& [name, value] : dict_of(arguments, budget).items) {
    if (value.as_namespace() || value.as_callable() || value.as_loop())
      throw Error("a namespace, a macro or loop in a namespace is not supported");
    const std::string& key = text_of(name, "a name in a namespace");
    if (key.starts_with('_')) throw Error("names with '_' before them are not allowed in a namespace");
    made->values[key] = value;
  }
  return Value::Data(std::move(made));
}

/// Prompts must not depend on the day: 26 July 2024, which Llama 3's templates fall back to.
Value strftime_now(const Arguments& arguments, Budget& budget) {
  const std::string format =
      text_of(arguments.bind("strftime_now", {"format"})[0], "what strftime_now is given");
  if (format.size() > 200) throw Error("what strftime_now is given is too long");
  budget.charge(2000);
  std::tm day{};
  day.tm_year = 124;
  day.tm_mon = 6;
  day.tm_mday = 26;
  day.tm_wday = 5;
  day.tm_yday = 207;
  std::array<char, 4096> room{};
  return Value::text(std::string(room.data(), std::strftime(room.data(), room.size(), format.c_str(), &day)));
}

Value raise_exception(const Arguments& arguments, Budget& budget) {
  throw Error(refusal(to_text(arguments.bind("raise_exception", {"message"})[0], budget)));
}

Value make_dict_of(const Arguments& arguments, Budget& budget) {
  return make_dict(dict_of(arguments, budget), budget);
}

Value refused(const Arguments&, Budget&) {
  throw Error("cycler, joiner, lipsum, varargs and kwargs are not supported");
}

using Function = Value (*)(const Arguments&, Budget&);
const std::pair<std::string_view, Function> kFunctions[] = {{"range", range},
                                                            {"dict", make_dict_of},
                                                            {"namespace", make_namespace},
                                                            {"strftime_now", strftime_now},
                                                            {"raise_exception", raise_exception},
                                                            {"cycler", refused},
                                                            {"joiner", refused},
                                                            {"lipsum", refused}};

}  // namespace

bool has_function(std::string_view name) {
  return std::any_of(std::begin(kFunctions), std::end(kFunctions),
                     [&](const auto& one) { return one.first == name; });
}

Value call_function(const std::string& name, const Arguments& arguments, Budget& budget) {
  for (const auto& [known, function] : kFunctions)
    if (known == name) return function(arguments, budget);
  throw Error("the function '" + unicode::excerpt(name) + "' is not supported");
}

}  // namespace hijack::jinja
