#pragma once
#include <memory>

#include "models/embedding_access.h"

namespace hijack {

struct ToyOptions {
  uint64_t seed = 7;
  bool float64 = false;  ///< double weights, for finite differences
};

/// A vision-language model of a few thousand random weights without files: image 3x16x16, vocabulary of
/// words, replies of at most 12 words. Smooth and differentiable to the pixels, and the image reaches every
/// position of the reply on its own, so that an unconstrained image can force any short string.
///
///   image tokens f = tanh(patches [16,48] . W)            [16, D]
///   h_t = tanh(P_t f A + E[token t-1] + mean E[prompt])   [T, D]   P_t: fixed mix of the image tokens
///   logits = h U                                          [T, V]
class ToyModel : public VisionLanguageModel, public PromptEmbeddings, public HiddenStates {
 public:
  explicit ToyModel(const ToyOptions& options = {});
  ~ToyModel() override;

  std::string family() const override { return "toy"; }
  ImageSpec image_spec() const override { return {16, 16}; }
  const Tokenizer& tokenizer() const override;
  at::Device device() const override { return at::kCPU; }
  Tensor to_input_space(const Tensor& image) const override;
  Pixels preprocess(const Tensor& image) const override;
  Tensor image_features(const Pixels& pixels) const override;
  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override;
  const PromptEmbeddings* embeddings() const override { return this; }
  const HiddenStates* states() const override { return this; }
  /// Nothing: the toy cannot tell.
  std::optional<TextInPlace> in_place(const Query&, const std::string&) const override { return {}; }
  Tensor swap_scores(const Pixels&, std::span<const Query>, std::span<const TokenIds>, const std::string&,
                     std::span<const TokenId>) const override {
    return {};
  }
  Tensor prompt_embeddings(const Pixels& pixels, const Query& query) const override;
  std::vector<Tensor> shifted_target_logits(const Pixels& pixels, std::span<const Query> queries,
                                            std::span<const TokenIds> targets,
                                            std::span<const Tensor> shifts) const override;
  /// The toy has one block: x -> tanh(x A).
  Tensor image_states(const Pixels& pixels, int64_t layer) const override;
  Tensor text_states(const std::string& text, int64_t layer) const override;
  std::vector<Generated> generate(const Pixels& pixels, std::span<const Query> queries,
                                  const GenerateOptions& options) const override;
  TokenIds input_ids(const Pixels& pixels, const Query& query) const override;
  std::shared_ptr<const LanguageModel> language_model() const override;
  TokenIds end_of_reply() const override;

  /// All weights, so that tests can check that none has a gradient.
  std::vector<Tensor> weights() const;

  struct Network;  ///< weights and tokenizer, shared with language_model()

 private:
  std::shared_ptr<const Network> network_;
};

/// `count` different prompts of words that the toy tokenizer knows.
std::vector<Query> toy_contexts(size_t count);

/// A smooth picture [1,3,16,16] on the lattice without values at 0 or 1.
Tensor toy_image(uint64_t seed = 3);

}  // namespace hijack
