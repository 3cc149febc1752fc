#include "models/checkpoint/model_folder.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/json.h"

namespace hijack {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// eos_token_id of an object; nullopt where it has none.
std::optional<TokenIds> end_tokens(const json& from, const std::string& where) {
  if (!from.is_object() || !from.contains("eos_token_id") || from["eos_token_id"].is_null()) return {};
  const json& value = from["eos_token_id"];
  TokenIds ids;
  for (const json& id : value.is_array() ? value : json::array({value})) {
    if (!id.is_number_integer())
      throw Error(where + ": eos_token_id must be a whole number or a list of them");
    ids.push_back(id.get<TokenId>());
  }
  return ids;
}

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

constexpr const char* kGeneration = "generation_config.json";

/// An empty object where the folder has none.
json generation_config(const fs::path& folder) {
  const fs::path file = folder / kGeneration;
  if (!fs::is_regular_file(file)) return json::object();
  json content = read_json(file);
  return content.is_object() ? content : json::object();
}

double penalty_of(const json& generation, const std::string& where) {
  const auto found = generation.find("repetition_penalty");
  if (found == generation.end() || found->is_null()) return 1;
  const double penalty = found->is_number() ? found->get<double>() : 0;
  if (!(penalty > 0) || !std::isfinite(penalty))
    throw Error(where + ": repetition_penalty must be a number above 0");
  return penalty;
}

}  // namespace

ReplyRules reply_rules(const fs::path& folder, const json& config, const TokenIds& otherwise) {
  const json generation = generation_config(folder);
  const std::string where = (folder / kGeneration).string();
  ReplyRules rules{otherwise, penalty_of(generation, where)};
  if (const auto ids = end_tokens(generation, where))
    rules.stops = *ids;
  else if (const auto root = end_tokens(config, "config.json"))
    rules.stops = *root;
  else if (config.contains("text_config"))
    if (const auto text = end_tokens(config["text_config"], "text_config of config.json"))
      rules.stops = *text;
  return rules;
}

std::vector<std::string> rules_not_followed(const fs::path& folder) {
  // with the values that change nothing
  const std::vector<std::pair<std::string, json>> neutral = {{"num_beams", 1},
                                                             {"no_repeat_ngram_size", 0},
                                                             {"encoder_no_repeat_ngram_size", 0},
                                                             {"min_length", 0},
                                                             {"encoder_repetition_penalty", 1},
                                                             {"guidance_scale", 1},
                                                             {"min_new_tokens", nullptr},
                                                             {"bad_words_ids", nullptr},
                                                             {"suppress_tokens", nullptr},
                                                             {"begin_suppress_tokens", nullptr},
                                                             {"forced_bos_token_id", nullptr},
                                                             {"forced_eos_token_id", nullptr},
                                                             {"sequence_bias", nullptr},
                                                             {"exponential_decay_length_penalty", nullptr}};
  const json generation = generation_config(folder);
  std::vector<std::string> found;
  for (const auto& [name, value] : neutral)
    if (generation.contains(name) && !generation[name].is_null() && generation[name] != value)
      found.push_back(name);
  return found;
}

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
