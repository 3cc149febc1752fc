#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "models/chat_template/jinja/template.h"
#include "models/chat_template/published.h"
#include "models/query.h"

namespace hijack {

/// A prompt as text, and whether the tokenizer puts its own special tokens around it: not where the template
/// has written them.
struct RenderedPrompt {
  std::string text;
  bool add_special_tokens = true;
};

/// What the content of a message is: a list of parts ({"type": "image"}, {"type": "text", "text": ...}), as
/// processors pass it, or a text, as tokenizers do.
enum class Contents { parts, text };

/// For families whose processor writes more than the template's mark where an image goes (Gemma 3): every
/// mark in a prompt with an image becomes `text`. Empty: the mark stays.
struct ImageText {
  std::string mark, text;
};

/// The chat template of a model folder, or the family's published one where the folder has none.
class ChatTemplate {
 public:
  /// Throws Error, which names the construct, for a template that is not supported.
  static std::shared_ptr<const ChatTemplate> of_folder(const std::filesystem::path& folder,
                                                       const PublishedTemplate& published,
                                                       ImageText image = {});
  /// For a text-only folder; nullptr where it has none.
  static std::shared_ptr<const ChatTemplate> of_text_folder(const std::filesystem::path& folder);
  /// For a folder of LLaVA's own code, whose prompts are texts: `image` stands before the first user's text,
  /// unless the folder's own template has a place for it. Without a template it is `conversation`, and `why`.
  static std::shared_ptr<const ChatTemplate> of_original_folder(const std::filesystem::path& folder,
                                                                const std::string& image,
                                                                const PublishedTemplate& conversation,
                                                                const std::string& why);
  ChatTemplate(std::string_view source, Contents contents, std::string origin);

  /// The messages of the query with the generation prompt. with_image: the first user turn begins with an
  /// image part, and the template decides where its place is. Throws Error where the template refuses.
  RenderedPrompt render(const Query& query, bool with_image) const;
  /// "the folder's own (chat_template.jinja)" or "none in the folder; LLaVA-1.5's published one is used".
  const std::string& origin() const { return origin_; }

 private:
  bool has_place() const;
  nlohmann::ordered_json messages(const Query& query, bool with_image) const;

  jinja::Template template_;
  Contents contents_;
  std::string origin_;
  std::string image_;                 ///< of text contents: what stands for the image
  nlohmann::ordered_json variables_;  ///< bos_token and so on
  ImageText written_;                 ///< what the processor writes for the template's mark
};

}  // namespace hijack
