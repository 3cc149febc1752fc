#include "models/chat_template/jinja/template.h"

#include <nlohmann/json.hpp>

#include "models/chat_template/jinja/interpreter.h"
#include "models/chat_template/jinja/lexer.h"
#include "models/chat_template/jinja/parser.h"
#include "src/base/error.h"

namespace hijack::jinja {
namespace {

Value value_of(const nlohmann::ordered_json& json, Budget& budget) {
  if (json.is_boolean()) return Value::boolean(json.get<bool>());
  if (json.is_number_integer()) return Value::integer(json.get<int64_t>());
  if (json.is_number()) return Value::number(json.get<double>());
  if (json.is_string()) return Value::text(json.get<std::string>());
  if (json.is_array()) {
    Values items;
    for (const auto& item : json) items.push_back(value_of(item, budget));
    return make_sequence(SequenceKind::list, std::move(items), budget);
  }
  if (!json.is_object()) return Value::none();
  Dict dict;
  for (const auto& [key, value] : json.items())
    dict.items.emplace_back(Value::text(key), value_of(value, budget));
  return make_dict(std::move(dict), budget);
}

}  // namespace

Template::Template(std::string_view source) {
  try {
    syntax_ = parse(source);
  } catch (const Error& error) {
    throw Error(std::string("the chat template cannot be used: ") + error.what());
  }
}

std::string Template::render(const nlohmann::ordered_json& variables) const {
  Scope globals, scope(&globals);
  Budget budget;
  for (const auto& [name, value] : variables.items()) globals.set(name, value_of(value, budget));
  Interpreter interpreter;
  std::string out;
  try {
    interpreter.run(syntax_->body, scope, out);
  } catch (const Error& error) {
    const std::string what = error.what();
    if (what.starts_with(refusal(""))) throw;
    throw Error("the chat template cannot be rendered: " + at_line(interpreter.line(), what));
  }
  return out;
}

}  // namespace hijack::jinja
