#pragma once
#include <filesystem>
#include <string>

namespace hijack {

/// The chat template's text from chat_template.jinja, chat_template.json, processor_config.json or
/// tokenizer_config.json, in the order of transformers; "" when there is none.
std::string chat_template(const std::filesystem::path& folder);

/// The chat template, which must be the one that the code of its family follows: throws Error when there is
/// one without `mark`, a text that only the known template has.
std::string known_chat_template(const std::filesystem::path& folder, const std::string& mark);

}  // namespace hijack
