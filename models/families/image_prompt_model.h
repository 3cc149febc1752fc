#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/chat_template/chat_template.h"
#include "models/decoding.h"
#include "models/embedding_access.h"
#include "models/network/decoder.h"
#include "models/prefix/prefix_memo.h"
#include "models/prefix/shared_prefix.h"
#include "models/state_hooks.h"
#include "models/vision_language_model.h"
#include "src/base/kept.h"

namespace hijack {

/// Numbers that a tower's pass keeps for a gradient, from shapes: two norms' inputs, query, key, value and
/// the mixed values, two of the MLP; and what the pass computes.
struct TowerActivations {
  int64_t block = 0;      ///< of one block
  int64_t all = 0;        ///< of all blocks
  int64_t inputs = 0;     ///< of all blocks, of each only its input
  double operations = 0;  ///< multiplications and additions of the pass

  /// seen: how many tokens each one attends to; 0: all.
  static TowerActivations of(int64_t layers, int64_t tokens, int64_t width, int64_t mlp_width,
                             int64_t seen = 0) {
    const int64_t block = tokens * (6 * width + 2 * mlp_width);
    const auto each = static_cast<double>(8 * width * width + 4 * width * mlp_width +
                                          4 * width * (seen == 0 ? tokens : seen));
    return {block, layers * block, layers * tokens * width, static_cast<double>(layers * tokens) * each};
  }
};

/// What families have in common whose image becomes tokens of the decoder's prompt: a family adds its
/// preprocessing, its tower and projector, its chat template, and how many tokens an image takes.
class ImagePromptModel : public VisionLanguageModel,
                         public PromptEmbeddings,
                         public HiddenStates,
                         public StateHooks,
                         public MixedDecoding,
                         public std::enable_shared_from_this<ImagePromptModel> {
 public:
  /// rules: the first of the stops is what a complete reply ends with. chat: nullptr for a family that
  /// overrides render. image_text: what stands for the image in a rendered prompt where no token of the
  /// tokenizer does; the texts around it are then tokenized by themselves. Throws Error for a template that
  /// has no place for the image, or several.
  ImagePromptModel(std::shared_ptr<const Decoder> decoder, std::shared_ptr<const Tokenizer> tokenizer,
                   TokenId image_token, ReplyRules rules, std::shared_ptr<const ChatTemplate> chat = nullptr,
                   std::string image_text = "");

  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  at::Device device() const override { return decoder_->device(); }
  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override;
  std::vector<Generated> generate(const Pixels& pixels, std::span<const Query> queries,
                                  const GenerateOptions& options) const override;
  std::vector<std::vector<Tensor>> logits_of_images(std::span<const ImageQueries> images) const override;
  std::vector<std::vector<Generated>> replies_of_images(std::span<const ImageQueries> images,
                                                        const GenerateOptions& options) const override;
  const PromptEmbeddings* embeddings() const override { return this; }
  const HiddenStates* states() const override { return this; }
  const StateHooks* hooks() const override { return this; }
  std::optional<TextInPlace> in_place(const Query& query, const std::string& part) const override;
  Tensor swap_scores(const Pixels& pixels, std::span<const Query> queries, std::span<const TokenIds> targets,
                     const std::string& part, std::span<const TokenId> others) const override;
  Tensor prompt_embeddings(const Pixels& pixels, const Query& query) const override;
  std::vector<Tensor> shifted_target_logits(const Pixels& pixels, std::span<const Query> queries,
                                            std::span<const TokenIds> targets,
                                            std::span<const Tensor> shifts) const override;
  Tensor image_states(const Pixels& pixels, int64_t layer) const override;
  Tensor text_states(const std::string& text, int64_t layer) const override;
  int64_t layers() const override { return decoder_->config().layers; }
  int64_t width() const override { return decoder_->config().width; }
  std::vector<TokenStates> states_at(const Pixels& pixels, std::span<const Query> queries,
                                     std::span<const TokenIds> replies, std::span<const Hook> hooks,
                                     TokenChoice tokens) const override;
  Tensor lens_logits(const Tensor& states) const override { return decoder_->lens_logits(states); }
  std::vector<Tensor> changed_target_logits(const Pixels& pixels, std::span<const Query> queries,
                                            std::span<const TokenIds> targets,
                                            std::span<const StateChange> changes) const override;
  std::vector<Generated> changed_generate(const Pixels& pixels, std::span<const Query> queries,
                                          const GenerateOptions& options,
                                          std::span<const StateChange> changes) const override;
  std::vector<Generated> mixed_generate(const Pixels& pixels, std::span<const BranchQueries> branches,
                                        const GenerateOptions& options,
                                        std::span<const StateChange> changes) const override;
  TokenIds input_ids(const Pixels& pixels, const Query& query) const override;
  TokenIds end_of_reply() const override {
    return rules_.stops.empty() ? TokenIds{} : TokenIds{rules_.stops.front()};
  }
  std::shared_ptr<const LanguageModel> language_model() const override;
  std::string rendered(const Query& query) const override { return render(query, /*with_image=*/true).text; }
  std::string template_origin() const override { return chat_ ? chat_->origin() : ""; }

  const Decoder& decoder() const { return *decoder_; }
  /// Tokens whose embeddings are image features.
  int64_t image_tokens(const Pixels& pixels) const;
  /// Numbers that the tower's pass over pixels of this shape keeps for a gradient.
  virtual TowerActivations tower_activations(const Pixels& pixels) const = 0;
  /// The same model, whose photos are one view each; shares the weights. nullptr where they always are.
  virtual std::shared_ptr<const VisionLanguageModel> with_one_view() const { return nullptr; }
  /// The same model, which makes at most so many pixels of a photo; shares the weights. nullptr where every
  /// photo is made one size. Throws Error for fewer pixels than the model can do with.
  virtual std::shared_ptr<const VisionLanguageModel> with_max_pixels(int64_t pixels) const {
    return (void)pixels, nullptr;
  }
  /// Whether an image's tokens depend on what is asked: then prompts share the tower's pass only, and attacks
  /// that swap or shift tokens of the prompt see a gradient that leaves out what the image's tokens would do.
  virtual bool image_follows_question() const { return false; }

 protected:
  /// The chat template with the generation prompt. With an image, the family's image token stands once where
  /// the image goes: in the first user turn.
  virtual RenderedPrompt render(const Query& query, bool with_image) const;

  /// The tokens that replace the one image token: the image token itself where features go, and whatever the
  /// family puts around and between them.
  virtual TokenIds image_ids(const Pixels& pixels) const = 0;

  /// What is computed once for an image, whatever is asked: where nothing depends on that, what goes into the
  /// decoder, [1+S,T_img,D]: image_features, and for families whose decoder gets more of it (DeepStack) what
  /// is added after each of its first S blocks.
  virtual Tensor seen(const Pixels& pixels) const { return image_features(pixels); }
  /// `seen` of each of several images; by default one after the other. Families whose tower takes several at
  /// once override it.
  virtual std::vector<Tensor> seen_of(std::span<const Pixels> images) const;
  /// `seen` of images whose views are all alike, from one call with all their views; for families whose
  /// features [1,T_img,D] of an image are those of its views, one after the other.
  std::vector<Tensor> seen_side_by_side(std::span<const Pixels> images) const;
  /// The features [1+S,T_img,D] of the image in the prompt of `query`, from what has been seen.
  virtual Tensor features_for(const Tensor& seen, const Query& query) const { return (void)query, seen; }

  /// render, tokenize, expand the image. Throws Error when the text holds the image token itself. A family
  /// whose prompts do not come from a chat template overrides this.
  virtual Prompt prompt(const Pixels& pixels, const Query& query) const;

  TokenId image_token() const { return image_token_; }

 private:
  static constexpr int64_t kCompiledNumbers = int64_t{1} << 18;  // ids, places and positions: 2 MB

  struct Located;
  /// The tokens of the text `part`, which ends the query's prompt, in the rendered text.
  std::optional<Located> locate(const Query& query, const std::string& part) const;
  /// Where the tokens of the text `part`, which ends the query's prompt, stand in the expanded prompt:
  /// [first, last), empty when they cannot be told.
  std::pair<size_t, size_t> places_of(const Prompt& whole, const Query& query, const std::string& part) const;
  /// With the image's features.
  std::vector<Prompt> prompts(const Pixels& pixels, std::span<const Query> queries) const;
  /// Of several images, one after the other's.
  std::vector<Prompt> prompts_of(std::span<const ImageQueries> images) const;
  /// What a pass over one of several images needs, about.
  int64_t bytes_of(const ImageQueries& image, int64_t new_tokens) const;
  /// How many of the images, from the first on, one pass takes.
  size_t together(std::span<const ImageQueries> images, int64_t new_tokens) const;
  /// `prompt`; of a question and images of one size compiled once, as long as it is asked again.
  Prompt compiled(const Pixels& pixels, const Query& query) const;
  /// `seen`, from the memo where there is one.
  Tensor seen_once(const Pixels& pixels) const;
  /// Null while weights are trained.
  PrefixMemo* memo() const { return decoder_->frozen() ? &memo_ : nullptr; }
  at::TensorOptions embedding_options() const;
  void check_layer(int64_t layer) const;
  Decoder changed_decoder(std::span<const StateChange> changes) const;
  /// The memo, whose keys are those of unchanged states; null where changes touch what it keeps.
  PrefixMemo* memo_under(std::span<const StateChange> changes) const;
  void check_image_place() const;
  /// Tokens of a rendered prompt, one of them the image token.
  Encoding encode(const RenderedPrompt& prompt) const;

  std::shared_ptr<const Decoder> decoder_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  TokenId image_token_;
  std::string image_text_;
  ReplyRules rules_;
  std::shared_ptr<const ChatTemplate> chat_;
  mutable PrefixMemo memo_;
  mutable Kept<std::string, std::shared_ptr<const Prompt>> compiled_{kCompiledNumbers};
};

/// `ids` with the one image token replaced by `image`; places are where `image_token` then stands. Throws
/// Error when `ids` has none or several.
Prompt expand_image(const TokenIds& ids, TokenId image_token, const TokenIds& image);

/// tokenizer.json of a model folder; throws Error when it has more tokens than the decoder's vocabulary.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& folder, int64_t vocabulary);

}  // namespace hijack
