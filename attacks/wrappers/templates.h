#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/embedding_access.h"
#include "models/model_decorator.h"

// Chat templates as an augmentation (Bailey et al. 2023 draw one of four for each example): what stands
// around a prompt is not the attacker's choice, so the image must work within any of it.

namespace hijack {

/// What may stand around a user's prompt.
struct ChatSetting {
  std::string system = {};
  std::vector<Turn> earlier = {};
};

/// The context within a setting. A system text and earlier turns that a context brings itself stay.
Query within(const ChatSetting& setting, Query context);

/// A model that is asked every query within a random one of some settings; plain until the first draw. The
/// draws are a function of (seed, draw, place of the query in the call), so that the calls of one loss agree.
class TemplatedModel : public ModelDecorator, public PromptEmbeddings {
 public:
  /// Throws Error when there are no settings.
  TemplatedModel(std::shared_ptr<const VisionLanguageModel> inner, std::vector<ChatSetting> settings,
                 uint64_t seed);
  void draw(uint64_t number) { draw_ = number; }

  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override;
  std::optional<TextInPlace> in_place(const Query& query, const std::string& part) const override;
  Tensor swap_scores(const Pixels& pixels, std::span<const Query> queries, std::span<const TokenIds> targets,
                     const std::string& part, std::span<const TokenId> others) const override;
  Tensor prompt_embeddings(const Pixels& pixels, const Query& query) const override;
  std::vector<Tensor> shifted_target_logits(const Pixels& pixels, std::span<const Query> queries,
                                            std::span<const TokenIds> targets,
                                            std::span<const Tensor> shifts) const override;
  std::vector<Generated> generate(const Pixels& pixels, std::span<const Query> queries,
                                  const GenerateOptions& options) const override;
  const PromptEmbeddings* embeddings() const override { return inner().embeddings() ? this : nullptr; }

 private:
  std::vector<Query> drawn(std::span<const Query> queries) const;

  std::vector<ChatSetting> settings_;
  uint64_t seed_;
  std::optional<uint64_t> draw_;
};

}  // namespace hijack
