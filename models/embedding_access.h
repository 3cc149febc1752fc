#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/query.h"
#include "models/tokenizer.h"
#include "models/vision_language_model.h"

// What a model may offer beside what every attack needs (vision_language_model.h): access to the embeddings
// of its prompts, and to the decoder's states.

namespace hijack {

/// A text as it stands in a prompt: at its ends tokens may hold some of what is around it.
struct TextInPlace {
  TokenIds ids;           ///< of the tokens that hold some of the text
  std::string head = {};  ///< what is between the token in front of them and the text (often the space)
  std::string tail = {};  ///< what the last of them holds behind the text
  TokenId before = -1;    ///< the token in front of them; -1 = none
};

/// Prompts as tokens and embeddings: for attacks that swap the ones (GCG) or shift the others (CroPA).
class PromptEmbeddings {
 public:
  virtual ~PromptEmbeddings() = default;

  /// The tokens of the text `part`, which ends the query's prompt, where they stand: often others than those
  /// of `part` alone. Nothing where that cannot be told.
  virtual std::optional<TextInPlace> in_place(const Query& query, const std::string& part) const = 0;

  /// To first order, how the mean loss of the targets would change if one token of the text `part` were
  /// another: float32 [n,M], one row per token of in_place, comparable within a row, one column for each of
  /// the tokens `others` (none given: for the whole vocabulary). `part` ends the prompt of every query.
  /// Undefined where `part` has not equally many tokens in all queries.
  virtual Tensor swap_scores(const Pixels& pixels, std::span<const Query> queries,
                             std::span<const TokenIds> targets, const std::string& part,
                             std::span<const TokenId> others) const = 0;

  /// The embeddings of the tokens of the query's own prompt, without template and image, [n,D]. Undefined
  /// where they cannot be told apart.
  virtual Tensor prompt_embeddings(const Pixels& pixels, const Query& query) const = 0;

  /// target_logits with shifts[i] (like prompt_embeddings of queries[i], or undefined) added to those
  /// embeddings; differentiable to the shifts, too.
  virtual std::vector<Tensor> shifted_target_logits(const Pixels& pixels, std::span<const Query> queries,
                                                    std::span<const TokenIds> targets,
                                                    std::span<const Tensor> shifts) const = 0;
};

/// What the decoder makes of images and texts.
class HiddenStates {
 public:
  virtual ~HiddenStates() = default;

  /// How the decoder sees the image after its first `layer` blocks, the chat template before it: hidden
  /// states [1,T_img,D] of the image tokens, differentiable; 0 = image_features. Throws Error for layers that
  /// the model does not have.
  virtual Tensor image_states(const Pixels& pixels, int64_t layer) const = 0;

  /// The same of a text that stands alone, without begin token: [1,n,D]. Throws Error when it has no tokens.
  virtual Tensor text_states(const std::string& text, int64_t layer) const = 0;
};

/// The model's access to embeddings. Throws Error, which says what to do without, where it has none.
const PromptEmbeddings& prompt_embeddings_of(const VisionLanguageModel& model);

/// HiddenStates::image_states; of a model that shows none, layer 0 is image_features and others throw Error.
Tensor image_states(const VisionLanguageModel& model, const Pixels& pixels, int64_t layer);
/// HiddenStates::text_states. Throws Error where the model shows none.
Tensor text_states(const VisionLanguageModel& model, const std::string& text, int64_t layer);

}  // namespace hijack
