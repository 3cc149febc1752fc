#include "models/families/one_size_model.h"

namespace hijack {

OneSizeModel::OneSizeModel(const ImageProcessor& processor, std::shared_ptr<const Decoder> decoder,
                           std::shared_ptr<const Tokenizer> tokenizer, TokenId image_token, ReplyRules rules,
                           std::shared_ptr<const ChatTemplate> chat, std::string image_text)
    : ImagePromptModel(std::move(decoder), std::move(tokenizer), image_token, std::move(rules),
                       std::move(chat), std::move(image_text)),
      processor_(processor) {}

ImageSpec OneSizeModel::image_spec() const {
  return {processor_.output_height(), processor_.output_width()};
}

Tensor OneSizeModel::to_input_space(const Tensor& image) const {
  const at::NoGradGuard no_gradients;
  return processor_.geometry(image);
}

Pixels OneSizeModel::preprocess(const Tensor& image) const {
  return {processor_.normalize(processor_.geometry(image)).to(device()), image.size(2), image.size(3)};
}

}  // namespace hijack
