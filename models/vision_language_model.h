#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "models/query.h"
#include "models/tokenizer.h"
#include "src/base/tensor.h"

// Shapes: N images, H W image size, V vocabulary, T target length, T_img image tokens, D decoder width.

namespace hijack {

/// The size at which an attack works on this model: after the model's own resize and crop.
struct ImageSpec {
  int64_t height = 0;
  int64_t width = 0;
};

/// What the vision tower sees, with the layout that families with several views need.
struct Pixels {
  Tensor values;             ///< [views,3,h,w] float32, normalized; differentiable when the image was
  int64_t image_height = 0;  ///< of the image before preprocessing
  int64_t image_width = 0;
};

/// A text as it stands in a prompt: at its ends tokens may hold some of what is around it.
struct TextInPlace {
  TokenIds ids;           ///< of the tokens that hold some of the text
  std::string head = {};  ///< what is between the token in front of them and the text (often the space)
  std::string tail = {};  ///< what the last of them holds behind the text
  TokenId before = -1;    ///< the token in front of them; -1 = none
};

/// A white-box vision-language model with frozen weights. Everything is deterministic for a fixed thread
/// count.
class VisionLanguageModel {
 public:
  virtual ~VisionLanguageModel() = default;

  virtual std::string family() const = 0;
  virtual ImageSpec image_spec() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  virtual at::Device device() const = 0;

  /// Any photo [1,3,H,W] on the lattice -> model-input space [1,3,h,w] on the lattice: the resize and crop of
  /// the model's own PIL pipeline, bit for bit. The identity for an image that has image_spec()'s size.
  virtual Tensor to_input_space(const Tensor& image) const = 0;

  /// image [1,3,H,W] in [0,1] -> pixels as deployed (resize, crop, normalize). Differentiable: exact forward,
  /// float backward through the resampler.
  virtual Pixels preprocess(const Tensor& image) const = 0;

  /// [1, T_img, D], differentiable.
  virtual Tensor image_features(const Pixels& pixels) const = 0;

  /// One image, many contexts: the vision tower and the common prefix run once. targets[i] is teacher-forced
  /// after queries[i]. Returns for each query float32 logits [T_i, V] that predict its target's tokens,
  /// differentiable to pixels.values. Throws Error when prompt + target exceed the context window.
  virtual std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                            std::span<const TokenIds> targets) const = 0;

  /// The tokens of the text `part`, which ends the query's prompt, where they stand: often others than those
  /// of `part` alone. Nothing where the family cannot say.
  virtual std::optional<TextInPlace> in_place(const Query& query, const std::string& part) const {
    (void)query, (void)part;
    return {};
  }

  /// For gradient-guided swaps of prompt tokens (GCG): to first order, how the mean loss of the targets would
  /// change if one token of the text `part` were another: float32 [n,V], one row per token of in_place,
  /// comparable within a row. `part` ends the prompt of every query. Undefined where the family cannot say,
  /// or where `part` has not equally many tokens in all queries.
  virtual Tensor swap_scores(const Pixels& pixels, std::span<const Query> queries,
                             std::span<const TokenIds> targets, const std::string& part) const {
    (void)pixels, (void)queries, (void)targets, (void)part;
    return {};
  }

  /// For adversarial prompts: the embeddings of the tokens of the query's own prompt, without template and
  /// image, [n,D]. Undefined where the family cannot say.
  virtual Tensor prompt_embeddings(const Pixels& pixels, const Query& query) const {
    (void)pixels, (void)query;
    return {};
  }

  /// target_logits with shifts[i] (like prompt_embeddings of queries[i], or undefined) added to those
  /// embeddings; differentiable to the shifts, too. Throws Error where the family cannot do that.
  virtual std::vector<Tensor> shifted_target_logits(const Pixels& pixels, std::span<const Query> queries,
                                                    std::span<const TokenIds> targets,
                                                    std::span<const Tensor> shifts) const;

  /// How the decoder sees the image after its first `layer` blocks, the chat template before it: hidden
  /// states [1,T_img,D] of the image tokens, differentiable; 0 = image_features. Throws Error for layers that
  /// the model does not have or show.
  virtual Tensor image_states(const Pixels& pixels, int64_t layer) const;

  /// The same of a text that stands alone, without begin token: [1,n,D]. Throws Error when it has no tokens.
  virtual Tensor text_states(const std::string& text, int64_t layer) const;

  /// One reply for each query, decoded together over the shared prefix; says of each whether it was
  /// cut. Special tokens are not in the text.
  virtual std::vector<Generated> generate(const Pixels& pixels, std::span<const Query> queries,
                                          const GenerateOptions& options) const = 0;

  /// The token ids of a query as the decoder sees them (image tokens expanded), for `hijack trace`.
  virtual TokenIds input_ids(const Pixels& pixels, const Query& query) const = 0;

  /// The decoder alone, for perplexity and paraphrase. Shares the weights.
  virtual std::shared_ptr<const LanguageModel> language_model() const = 0;

  /// Tokens of a target as it continues the prompt: no begin token, no prefix space, no end token.
  TokenIds target_ids(std::string_view target) const { return tokenizer().encode(target, false); }

  /// The tokens that end a reply ("</s>"), appended to targets after which the model has to stop. Empty when
  /// the family has none.
  virtual TokenIds end_of_reply() const { return {}; }
};

}  // namespace hijack
