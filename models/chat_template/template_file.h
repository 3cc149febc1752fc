#pragma once
#include <filesystem>
#include <string>

namespace hijack {

struct TemplateText {
  std::string text = {};
  std::string file = {};  ///< its name; "" when the folder has no template
};

/// The chat template from chat_template.jinja, chat_template.json, processor_config.json or
/// tokenizer_config.json, in the order of transformers. Throws Error for several templates of which none is
/// the default.
TemplateText chat_template(const std::filesystem::path& folder);

}  // namespace hijack
