#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/prefix/reply_rules.h"

// What a Hugging Face folder says beside its weights and its config.

namespace hijack {

/// How the model replies when it is deployed as its folder says. Stops are `eos_token_id` (one or several) of
/// generation_config.json, else of config.json, else of its text_config, else `otherwise`; the repetition
/// penalty is that of generation_config.json. Throws Error for values that make no sense.
ReplyRules reply_rules(const std::filesystem::path& folder, const nlohmann::json& config,
                       const TokenIds& otherwise = {});

/// What generation_config.json asks for that changes even greedy replies and is not followed: names of its
/// fields.
std::vector<std::string> rules_not_followed(const std::filesystem::path& folder);

/// The chat template's text from chat_template.jinja, chat_template.json, processor_config.json or
/// tokenizer_config.json, in the order of transformers; "" when there is none.
std::string chat_template(const std::filesystem::path& folder);

/// The chat template, which must be the one that the code of its family follows: throws Error when there is
/// one without `mark`, a text that only the known template has.
std::string known_chat_template(const std::filesystem::path& folder, const std::string& mark);

}  // namespace hijack
