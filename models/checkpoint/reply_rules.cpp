#include "models/checkpoint/reply_rules.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "src/base/error.h"
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

void refuse_beams(const json& generation, const std::string& where) {
  const auto found = generation.find("num_beams");
  if (found == generation.end() || found->is_null() || *found == 1) return;
  throw Error(where + ": num_beams " + found->dump().substr(0, 40) +
              " is beam search, which is not supported; take the line out to have replies greedy or drawn "
              "(--temperature)");
}

}  // namespace

std::string drawing_rules(const fs::path& folder) {
  const json generation = generation_config(folder);
  std::string text;
  for (const char* name : {"do_sample", "temperature", "top_p", "top_k"})
    if (generation.contains(name) && !generation[name].is_null())
      text += std::string(text.empty() ? "" : ", ") + name + " " + generation[name].dump().substr(0, 40);
  return text;
}

ReplyRules reply_rules(const fs::path& folder, const json& config, const TokenIds& otherwise) {
  const json generation = generation_config(folder);
  const std::string where = (folder / kGeneration).string();
  refuse_beams(generation, where);
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

ReplyRules decoder_reply_rules(const json& text_config, const TokenIds& otherwise) {
  return {.stops = end_tokens(text_config, "text_config of config.json").value_or(otherwise)};
}

std::vector<std::string> rules_not_followed(const fs::path& folder) {
  // with the values that change nothing
  const std::vector<std::pair<std::string, json>> neutral = {{"no_repeat_ngram_size", 0},
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

}  // namespace hijack
