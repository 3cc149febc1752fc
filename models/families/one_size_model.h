#pragma once
#include "models/families/image_prompt_model.h"
#include "models/preprocess/image_processor.h"

namespace hijack {

/// What families have in common whose image processor makes every photo one size.
class OneSizeModel : public ImagePromptModel {
 public:
  /// The rest as ImagePromptModel takes it.
  OneSizeModel(const ImageProcessor& processor, std::shared_ptr<const Decoder> decoder,
               std::shared_ptr<const Tokenizer> tokenizer, TokenId image_token, ReplyRules rules,
               std::shared_ptr<const ChatTemplate> chat = nullptr, std::string image_text = "");

  ImageSpec image_spec() const override;
  Tensor to_input_space(const Tensor& image) const override;
  Pixels preprocess(const Tensor& image) const override;

 protected:
  /// In one pass of the tower.
  std::vector<Tensor> seen_of(std::span<const Pixels> images) const override {
    return seen_side_by_side(images);
  }

 private:
  ImageProcessor processor_;
};

}  // namespace hijack
