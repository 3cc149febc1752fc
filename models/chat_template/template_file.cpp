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
std::string template_in(const json& from) {
  if (!from.is_object() || !from.contains("chat_template")) return "";
  const json& value = from["chat_template"];
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return "";
  for (const json& one : value)
    if (one.is_object() && one.value("name", json()) == "default" &&
        one.value("template", json()).is_string())
      return one["template"].get<std::string>();
  return "";
}

}  // namespace

std::string chat_template(const fs::path& folder) {
  if (const fs::path file = folder / "chat_template.jinja"; fs::is_regular_file(file)) return read_file(file);
  for (const char* name : {"chat_template.json", "processor_config.json", "tokenizer_config.json"}) {
    if (!fs::is_regular_file(folder / name)) continue;
    const std::string found = template_in(read_json(folder / name));
    if (!found.empty()) return found;
  }
  return "";
}

std::string known_chat_template(const fs::path& folder, const std::string& mark) {
  const std::string text = chat_template(folder);
  if (!text.empty() && text.find(mark) == text.npos)
    throw Error(folder.string() + ": the chat template is not the one of this family (it has no \"" + mark +
                "\"), so prompts would not be what the model was trained on; put back the template of the "
                "model's page");
  return text;
}

}  // namespace hijack
