#include "models/chat_template/template_file.h"

#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/json.h"

namespace hijack {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// "chat_template" of an object: a text, or the "default" one of a list of {name, template}.
std::string template_in(const json& from, const fs::path& file) {
  if (!from.is_object() || !from.contains("chat_template")) return "";
  const json& value = from["chat_template"];
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null() || value.empty()) return "";
  if (value.is_array())
    for (const json& one : value)
      if (one.is_object() && one.value("name", json()) == "default" &&
          one.value("template", json()).is_string())
        return one["template"].get<std::string>();
  throw Error(file.string() + ": chat_template must be a text, or a list with a template named \"default\"");
}

}  // namespace

TemplateText chat_template(const fs::path& folder) {
  const std::string own = "chat_template.jinja";
  if (fs::is_regular_file(folder / own)) return {read_file(folder / own), own};
  for (const char* name : {"chat_template.json", "processor_config.json", "tokenizer_config.json"}) {
    if (!fs::is_regular_file(folder / name)) continue;
    std::string found = template_in(read_json(folder / name), folder / name);
    if (!found.empty()) return {std::move(found), name};
  }
  return {};
}

}  // namespace hijack
