#pragma once
#include <string>
#include <vector>

#include "attacks/objective.h"
#include "models/model_decorator.h"
#include "models/checkpoint/safetensors.h"
#include "models/embedding_access.h"

// The networks of tests/golden/toy.py, on which references of the attacks were run. All in float64.

namespace hijack {

/// tests/golden/<folder>/golden.safetensors.
TensorMap load_golden(const std::string& folder);

/// The numbers of a reference's case.
std::vector<double> golden_numbers(const TensorMap& golden, const std::string& name);

/// Largest difference of two tensors.
double difference(const Tensor& a, const Tensor& b);

/// Cross-entropy of wanted classes, [N,3,H,W] -> [N].
class GoldenClassifier : public Objective {
 public:
  GoldenClassifier(Tensor w1, Tensor w2, Tensor label)
      : w1_(std::move(w1)), w2_(std::move(w2)), label_(std::move(label)) {}
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return true; }

 private:
  Tensor w1_, w2_, label_;
};

/// The model of text and image, with the words of the toy tokenizer. Targets have no end token.
class GoldenModel : public ModelDecorator, public PromptEmbeddings {
 public:
  explicit GoldenModel(const TensorMap& golden);
  Pixels preprocess(const Tensor& image) const override;
  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override;
  std::vector<Tensor> shifted_target_logits(const Pixels& pixels, std::span<const Query> queries,
                                            std::span<const TokenIds> targets,
                                            std::span<const Tensor> shifts) const override;
  Tensor prompt_embeddings(const Pixels& pixels, const Query& query) const override;
  std::optional<TextInPlace> in_place(const Query& query, const std::string& part) const override;
  Tensor swap_scores(const Pixels& pixels, std::span<const Query> queries, std::span<const TokenIds> targets,
                     const std::string& part, std::span<const TokenId> others) const override;
  TokenIds end_of_reply() const override { return {}; }
  const PromptEmbeddings* embeddings() const override { return this; }
  const HiddenStates* states() const override { return nullptr; }

  /// The words of ids, as [n] int64.
  std::string text(const Tensor& ids) const;

  mutable int64_t passes = 0;  ///< calls of target_logits and shifted_target_logits

 private:
  Tensor embed(const TokenIds& ids) const;

  Tensor a_, e_, w_;
};

}  // namespace hijack
