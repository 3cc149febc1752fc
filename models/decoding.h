#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/hook.h"
#include "models/model_decorator.h"

// How the next token comes about where something stands inside of a model while it replies: several wordings
// of a prompt whose logits are combined, states that are changed.

namespace hijack {

/// One wording of what is asked.
struct DecodingBranch {
  double weight = 1;
  std::function<Query(const Query&)> asked = {};  ///< empty: as it is
};

struct Decoding {
  /// The next token's logits are the sum of weight * logits over the branches. All read the same reply.
  std::vector<DecodingBranch> branches = {DecodingBranch{}};
  /// Made in every branch.
  std::vector<StateChange> changes = {};

  /// Whether replies come about as always.
  bool plain() const;
  /// Each branch as it is, times `kept`, and worded anew, times `added`: logits =
  /// kept * l(q) + added * l(asked(q)). Branches whose weight is 0 are left out.
  void split(double kept, double added, const std::function<Query(const Query&)>& asked);
};

/// The queries of a branch.
struct BranchQueries {
  double weight = 1;
  std::vector<Query> queries;
};

/// A model that can reply by a Decoding, with the keys and values of each branch kept. Every family with the
/// shared decoder is one.
class MixedDecoding {
 public:
  virtual ~MixedDecoding() = default;
  /// branches: one or more, with as many queries each. pixels: without values where there is no image.
  virtual std::vector<Generated> mixed_generate(const Pixels& pixels, std::span<const BranchQueries> branches,
                                                const GenerateOptions& options,
                                                std::span<const StateChange> changes) const = 0;
};

/// A model that replies by a Decoding, and whose logits are those of it: what is deployed with such a
/// defense, and what an adaptive attack optimizes through. Logits are differentiable to the pixels.
class DecodedModel : public ModelDecorator {
 public:
  /// Throws Error where the model's decoding cannot be changed (TorchScript files).
  DecodedModel(std::shared_ptr<const VisionLanguageModel> inner, Decoding decoding);

  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override;
  std::vector<Generated> generate(const Pixels& pixels, std::span<const Query> queries,
                                  const GenerateOptions& options) const override;
  /// Replies without image by the same decoding; perplexities stay those of the model.
  std::shared_ptr<const LanguageModel> language_model() const override;
  /// Not offered: they show the model as it is. So do states() and hooks(), which are passed on.
  const PromptEmbeddings* embeddings() const override { return nullptr; }

 private:
  std::shared_ptr<const VisionLanguageModel> kept_;
  std::shared_ptr<const Decoding> decoding_;
};

/// The model itself for a plain Decoding.
std::shared_ptr<const VisionLanguageModel> with_decoding(std::shared_ptr<const VisionLanguageModel> model,
                                                         Decoding decoding);

}  // namespace hijack
