#include "models/families/text_prompt_model.h"

#include <nlohmann/json.hpp>

#include "models/chat_template/render_plain.h"
#include "models/checkpoint/config_json.h"
#include "models/families/decoder_language_model.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr TokenId kNoImageToken = -1;

}  // namespace

TextPromptModel::TextPromptModel(std::string family, std::shared_ptr<const Decoder> decoder,
                                 std::shared_ptr<const Tokenizer> tokenizer, ReplyRules rules,
                                 std::shared_ptr<const ChatTemplate> chat)
    : ImagePromptModel(std::move(decoder), std::move(tokenizer), kNoImageToken, std::move(rules)),
      family_(std::move(family)),
      chat_(std::move(chat)) {}

Tensor TextPromptModel::to_input_space(const Tensor&) const {
  throw Error("the model is a language model (" + family_ +
              ") that takes no images: leave the image out, or give a model with images");
}

Pixels TextPromptModel::preprocess(const Tensor& image) const {
  if (image.defined()) to_input_space(image);
  return {};
}

Tensor TextPromptModel::image_features(const Pixels&) const {
  return {};
}

std::string TextPromptModel::template_origin() const {
  return chat_ ? chat_->origin() : "none in the folder; texts are given as they are";
}

RenderedPrompt TextPromptModel::render(const Query& query, bool) const {
  return chat_ ? chat_->render(query, /*with_image=*/false) : RenderedPrompt{render_plain(query)};
}

Prompt TextPromptModel::prompt(const Pixels&, const Query& query) const {
  const RenderedPrompt text = render(query, /*with_image=*/false);
  return {tokenizer().encode(text.text, text.add_special_tokens)};
}

std::shared_ptr<const VisionLanguageModel> load_text_prompt_model(const std::filesystem::path& folder,
                                                                  const nlohmann::json& json,
                                                                  at::Device device, at::ScalarType dtype) {
  auto decoder = load_text_decoder(folder, json, device, dtype);
  auto tokenizer = load_tokenizer(folder, decoder->config().vocabulary);
  return std::make_shared<TextPromptModel>(
      ConfigReader(json, "root").text("model_type", ""), std::move(decoder), std::move(tokenizer),
      text_reply_rules(folder, json), ChatTemplate::of_text_folder(folder));
}

}  // namespace hijack
