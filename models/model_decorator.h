#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/vision_language_model.h"

namespace hijack {

/// A model that passes everything on to another one: what is given in its place when prompts are to be
/// changed on the way (attacks/wrappers/templates.h, cropa.h), or how replies come about (decoding.h).
class ModelDecorator : public VisionLanguageModel {
 public:
  explicit ModelDecorator(std::shared_ptr<const VisionLanguageModel> inner) : inner_(std::move(inner)) {}

  std::string family() const override { return inner_->family(); }
  ImageSpec image_spec() const override { return inner_->image_spec(); }
  const Tokenizer& tokenizer() const override { return inner_->tokenizer(); }
  at::Device device() const override { return inner_->device(); }
  bool takes_images() const override { return inner_->takes_images(); }
  std::string rendered(const Query& query) const override { return inner_->rendered(query); }
  std::string template_origin() const override { return inner_->template_origin(); }
  Tensor to_input_space(const Tensor& image) const override { return inner_->to_input_space(image); }
  Pixels preprocess(const Tensor& image) const override { return inner_->preprocess(image); }
  Tensor image_features(const Pixels& pixels) const override { return inner_->image_features(pixels); }
  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override {
    return inner_->target_logits(pixels, queries, targets);
  }
  std::vector<Generated> generate(const Pixels& pixels, std::span<const Query> queries,
                                  const GenerateOptions& options) const override {
    return inner_->generate(pixels, queries, options);
  }
  TokenIds input_ids(const Pixels& pixels, const Query& query) const override {
    return inner_->input_ids(pixels, query);
  }
  std::shared_ptr<const LanguageModel> language_model() const override { return inner_->language_model(); }
  TokenIds end_of_reply() const override { return inner_->end_of_reply(); }
  const PromptEmbeddings* embeddings() const override { return inner_->embeddings(); }
  const HiddenStates* states() const override { return inner_->states(); }
  const StateHooks* hooks() const override { return inner_->hooks(); }

 protected:
  const VisionLanguageModel& inner() const { return *inner_; }

 private:
  std::shared_ptr<const VisionLanguageModel> inner_;
};

}  // namespace hijack
