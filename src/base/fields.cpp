#include "src/base/fields.h"

#include <charconv>

#include "src/base/error.h"
#include "src/base/nearest.h"

namespace hijack {
namespace {

using nlohmann::json;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

const char* wanted(const Field& field) {
  if (field.each) return "a text or a list of texts";
  return std::visit(
      Overloaded{[](std::string*) { return "a text"; }, [](int64_t*) { return "a whole number"; },
                 [](uint64_t*) { return "a whole number from 0"; }, [](double*) { return "a number"; },
                 [](bool*) { return "true or false"; },
                 [](std::vector<std::string>*) { return "a text or a list of texts"; },
                 [](std::vector<uint64_t>*) { return "a whole number from 0, or a list of them"; }},
      field.value);
}

[[noreturn]] void refuse(const Field& field, const std::string& where, const std::string& what) {
  throw Error(where + ": '" + field.name + "' must be " + wanted(field) + ", not " + what + ".");
}

uint64_t unsigned_from(const Field& field, const json& value, const std::string& where) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (value.is_number_integer() && value.get<int64_t>() >= 0)
    return static_cast<uint64_t>(value.get<int64_t>());
  refuse(field, where, value.dump());
}

int64_t integer_from(const Field& field, const json& value, const std::string& where) {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t(INT64_MAX));
  if (!fits) refuse(field, where, value.dump());
  return value.get<int64_t>();
}

std::string text_from(const Field& field, const json& value, const std::string& where) {
  if (!value.is_string()) refuse(field, where, value.dump());
  return value.get<std::string>();
}

template <class T, class One>
void read_list(std::vector<T>& out, const json& value, One one) {
  out.clear();
  if (!value.is_array())
    out.push_back(one(value));
  else
    for (const json& item : value) out.push_back(one(item));
}

/// One text, or those of a list where each of them makes a trial.
std::string each_from(const Field& field, const json& value, const std::string& where) {
  if (!field.each || !value.is_array() || value.empty()) return text_from(field, value, where);
  std::vector<std::string> texts;
  for (const json& item : value) texts.push_back(text_from(field, item, where));
  return comma_list(texts);
}

void set_from_json(const Field& field, const json& value, const std::string& where) {
  std::visit(Overloaded{
                 [&](std::string* out) { *out = each_from(field, value, where); },
                 [&](int64_t* out) { *out = integer_from(field, value, where); },
                 [&](uint64_t* out) { *out = unsigned_from(field, value, where); },
                 [&](double* out) {
                   if (!value.is_number() || !std::isfinite(value.get<double>()))
                     refuse(field, where, value.dump());
                   *out = value.get<double>();
                 },
                 [&](bool* out) {
                   if (!value.is_boolean()) refuse(field, where, value.dump());
                   *out = value.get<bool>();
                 },
                 [&](std::vector<std::string>* out) {
                   read_list(*out, value, [&](const json& item) { return text_from(field, item, where); });
                 },
                 [&](std::vector<uint64_t>* out) {
                   read_list(*out, value,
                             [&](const json& item) { return unsigned_from(field, item, where); });
                 },
             },
             field.value);
}

template <class T>
T number_from_text(const Field& field, const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stopped, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc{} || stopped != end || !std::isfinite(static_cast<double>(value)))
    refuse(field, flag_name(field.name), "'" + text + "'");
  return value;
}

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

bool bool_from_text(const Field& field, const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  refuse(field, flag_name(field.name), "'" + text + "'");
}

template <class T>
std::string joined(const std::vector<T>& items) {
  std::ostringstream out;
  for (size_t i = 0; i < items.size(); ++i) out << (i ? "," : "") << items[i];
  return out.str();
}

}  // namespace

std::string comma_list(std::span<const std::string> texts) {
  std::string list;
  for (size_t i = 0; i < texts.size(); ++i) list += (i ? "," : "") + texts[i];
  return list;
}

std::vector<std::string> comma_parts(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    const size_t first = std::min(text.find_first_not_of(' ', begin), comma);
    const size_t last = text.find_last_not_of(' ', comma == 0 ? 0 : comma - 1);
    parts.push_back(first == comma ? "" : text.substr(first, last + 1 - first));
    begin = comma + 1;
  }
  return parts;
}

std::string flag_name(const std::string& field_name) {
  std::string flag = "--" + field_name;
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string value_text(const Field& field) {
  return std::visit(Overloaded{[](std::string* value) { return *value; },
                               [](bool* value) { return std::string(*value ? "true" : "false"); },
                               [](std::vector<std::string>* value) { return joined(*value); },
                               [](std::vector<uint64_t>* value) { return joined(*value); },
                               [](auto* number) {
                                 std::ostringstream out;
                                 out << *number;
                                 return out.str();
                               }},
                    field.value);
}

std::string type_text(const Field& field) {
  return std::visit(
      Overloaded{[](std::string*) { return "TEXT"; }, [](bool*) { return ""; },
                 [](std::vector<std::string>*) { return "TEXT"; }, [](std::vector<uint64_t>*) { return "N"; },
                 [](double*) { return "X"; }, [](auto*) { return "N"; }},
      field.value);
}

json fields_to_json(std::span<const Field> fields) {
  json object = json::object();
  for (const Field& field : fields)
    std::visit([&](const auto* value) { object[field.name] = *value; }, field.value);
  return object;
}

std::set<std::string> set_fields(std::span<const Field> fields, const json& object,
                                 const std::string& where) {
  if (!object.is_object()) throw Error(where + ": must be a table of fields.");
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  std::set<std::string> given;
  for (const auto& [key, value] : object.items()) {
    const auto found = std::find(names.begin(), names.end(), key);
    if (found == names.end()) throw Error(where + ": " + unknown_name("key", key, names));
    set_from_json(fields[static_cast<size_t>(found - names.begin())], value, where);
    given.insert(key);
  }
  return given;
}

void set_field(const Field& field, std::span<const std::string> texts) {
  const std::string text = texts.empty() ? "" : texts.back();
  std::visit(Overloaded{
                 [&](std::string* out) { *out = field.each ? comma_list(texts) : text; },
                 [&](bool* out) { *out = bool_from_text(field, text); },
                 [&](std::vector<std::string>* out) { out->assign(texts.begin(), texts.end()); },
                 [&](std::vector<uint64_t>* out) {
                   out->clear();
                   for (const std::string& list : texts)
                     for (const std::string& part : split_commas(list))
                       out->push_back(number_from_text<uint64_t>(field, part));
                 },
                 [&](auto* out) { *out = number_from_text<std::decay_t<decltype(*out)>>(field, text); },
             },
             field.value);
}

}  // namespace hijack
