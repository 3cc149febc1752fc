#include "models/chat_template/chat_template.h"

#include "models/chat_template/named_token.h"
#include "models/chat_template/template_file.h"
#include "src/base/error.h"
#include "src/base/json.h"
#include "src/base/text.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// What templates know of the tokenizer: "bos_token" and its like, from either file.
Json special_tokens(const fs::path& folder) {
  Json made = Json::object();
  for (const char* file : {"special_tokens_map.json", "tokenizer_config.json"}) {
    if (!fs::is_regular_file(folder / file)) continue;
    const nlohmann::json read = read_json(folder / file);
    for (const char* name :
         {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"})
      if (const auto token = named_token(read, name)) made[name] = *token;
  }
  return made;
}

std::shared_ptr<ChatTemplate> made_of(const fs::path& folder, const TemplateText& found, Contents contents) {
  try {
    return std::make_shared<ChatTemplate>(found.text, contents, "the folder's own (" + found.file + ")");
  } catch (const Error& error) {
    throw Error((folder / found.file).string() + ": " + error.what());
  }
}

}  // namespace

std::shared_ptr<const ChatTemplate> ChatTemplate::of_folder(const fs::path& folder,
                                                            const PublishedTemplate& published,
                                                            ImageText image) {
  const TemplateText found = chat_template(folder);
  auto made = !found.file.empty()
                  ? made_of(folder, found, Contents::parts)
                  : std::make_shared<ChatTemplate>(
                        published.text, Contents::parts,
                        "none in the folder; " + std::string(published.whose) + "'s published one is used");
  made->variables_ = special_tokens(folder);
  made->written_ = std::move(image);
  return made;
}

std::shared_ptr<const ChatTemplate> ChatTemplate::of_text_folder(const fs::path& folder) {
  const TemplateText found = chat_template(folder);
  if (found.file.empty()) return nullptr;
  auto made = made_of(folder, found, Contents::text);
  made->variables_ = special_tokens(folder);
  return made;
}

std::shared_ptr<const ChatTemplate> ChatTemplate::of_original_folder(const fs::path& folder,
                                                                     const std::string& image,
                                                                     const PublishedTemplate& conversation,
                                                                     const std::string& why) {
  const TemplateText found = chat_template(folder);
  auto made = !found.file.empty()
                  ? made_of(folder, found, Contents::parts)
                  : std::make_shared<ChatTemplate>(
                        conversation.text, Contents::text,
                        "none in the folder; " + std::string(conversation.whose) + " turns, " + why);
  made->variables_ = special_tokens(folder);
  if (found.file.empty() || !made->has_place()) {
    made->contents_ = Contents::text;
    made->image_ = image;
  }
  return made;
}

bool ChatTemplate::has_place() const {
  try {
    return render({.prompt = "x"}, /*with_image=*/true).text.find("<image>") != std::string::npos;
  } catch (const Error&) {  // it joins texts, and was given parts
    return false;
  }
}

ChatTemplate::ChatTemplate(std::string_view source, Contents contents, std::string origin)
    : template_(source), contents_(contents), origin_(std::move(origin)), variables_(Json::object()) {}

Json ChatTemplate::messages(const Query& query, bool with_image) const {
  Json made = Json::array();
  const auto add = [&](const char* role, const std::string& text, bool image) {
    Json content = image ? image_ + text : text;
    if (contents_ == Contents::parts) {
      content = Json::array();
      if (image) content.push_back({{"type", "image"}});
      content.push_back({{"type", "text"}, {"text", text}});
    }
    made.push_back({{"role", role}, {"content", std::move(content)}});
  };
  if (!query.system.empty()) add("system", query.system, false);
  bool image = with_image;
  for (const Turn& turn : query.earlier) {
    add("user", turn.user, image);
    add("assistant", turn.assistant, false);
    image = false;
  }
  add("user", query.prompt, image);
  return made;
}

RenderedPrompt ChatTemplate::render(const Query& query, bool with_image) const {
  Json variables = variables_;
  variables["messages"] = messages(query, with_image);
  variables["add_generation_prompt"] = true;
  variables["tools"] = variables["documents"] = nullptr;
  RenderedPrompt made{.text = template_.render(variables)};
  if (with_image && !written_.mark.empty())
    made.text = filled_pattern(made.text, {{written_.mark, written_.text}});
  // a tokenizer's apply_chat_template never adds any; a processor's leaves them out after a begin token
  const std::string begin = variables_.value("bos_token", "");
  made.add_special_tokens =
      (contents_ == Contents::parts || !image_.empty()) && (begin.empty() || !made.text.starts_with(begin));
  return made;
}

}  // namespace hijack
