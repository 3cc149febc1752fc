#pragma once
#include <memory>
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

/// One of several images, and what is asked about it.
struct ImageQueries {
  Pixels pixels;
  std::vector<Query> queries;
  std::vector<TokenIds> targets = {};  ///< one for each query; none where replies are wanted
};

class PromptEmbeddings;
class HiddenStates;
class StateHooks;

/// A white-box vision-language model with frozen weights. Everything is deterministic for a fixed thread
/// count.
class VisionLanguageModel {
 public:
  virtual ~VisionLanguageModel() = default;

  virtual std::string family() const = 0;
  virtual ImageSpec image_spec() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  virtual at::Device device() const = 0;
  /// False for a language model: its image_spec is 0 x 0, preprocess takes an undefined tensor, and every
  /// call that takes an image throws Error.
  virtual bool takes_images() const { return true; }

  /// Any photo [1,3,H,W] on the lattice -> model-input space [1,3,h,w] on the lattice: the resize and crop of
  /// the model's own PIL pipeline, bit for bit. The identity for an image that has image_spec()'s size.
  virtual Tensor to_input_space(const Tensor& image) const = 0;

  /// image [1,3,H,W] in [0,1] -> pixels as deployed (resize, crop, normalize). Differentiable: exact forward,
  /// float backward through the resampler.
  virtual Pixels preprocess(const Tensor& image) const = 0;

  /// [1, T_img, D], differentiable; of the type that the model's last product has.
  virtual Tensor image_features(const Pixels& pixels) const = 0;

  /// One image, many contexts: the vision tower and the common prefix run once. targets[i] is teacher-forced
  /// after queries[i]. Returns for each query float32 logits [T_i, V] that predict its target's tokens,
  /// differentiable to pixels.values. Throws Error when prompt + target exceed the context window.
  virtual std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                            std::span<const TokenIds> targets) const = 0;

  /// One reply for each query, decoded together over the shared prefix; says of each whether it was
  /// cut. Special tokens are not in the text.
  virtual std::vector<Generated> generate(const Pixels& pixels, std::span<const Query> queries,
                                          const GenerateOptions& options) const = 0;

  /// N images with B queries each: for each image what target_logits gives, within rounding. One pass over
  /// several images where the model can and their shapes agree, as many as images_at_once
  /// (prefix/images_at_once.h) allows; by default one image after the other.
  virtual std::vector<std::vector<Tensor>> logits_of_images(std::span<const ImageQueries> images) const;
  /// The same of `generate`. Seeds, one for each query, and the numbers of on_text count through the images'
  /// queries in their order.
  virtual std::vector<std::vector<Generated>> replies_of_images(std::span<const ImageQueries> images,
                                                                const GenerateOptions& options) const;

  /// The token ids of a query as the decoder sees them (image tokens expanded), for `hijack trace`.
  virtual TokenIds input_ids(const Pixels& pixels, const Query& query) const = 0;

  /// The prompt of a query with its image as the chat template renders it; "" where the model has no text of
  /// it.
  virtual std::string rendered(const Query&) const { return {}; }
  /// Where the chat template is from, e.g. "the folder's own (chat_template.jinja)"; "" for none.
  virtual std::string template_origin() const { return {}; }

  /// The decoder alone, for perplexity and paraphrase. Shares the weights.
  virtual std::shared_ptr<const LanguageModel> language_model() const = 0;

  /// Tokens of a target as it continues the prompt: no begin token, no prefix space, no end token.
  TokenIds target_ids(std::string_view target) const { return tokenizer().encode(target, false); }

  /// The tokens that end a reply ("</s>"), appended to targets after which the model has to stop. Empty when
  /// the family has none.
  virtual TokenIds end_of_reply() const { return {}; }

  /// What only some models offer (embedding_access.h, state_hooks.h); nullptr where this one does not.
  virtual const PromptEmbeddings* embeddings() const { return nullptr; }
  virtual const HiddenStates* states() const { return nullptr; }
  virtual const StateHooks* hooks() const { return nullptr; }
};

}  // namespace hijack
