#pragma once
#include <optional>
#include <string>
#include <vector>

#include "attacks/behavior.h"
#include "models/embedding_access.h"

namespace hijack {

/// A suffix as the tokens that stand for it in the prompts of some contexts: what GCG ranks and exchanges. A
/// tokenizer may cut the same text otherwise when it stands alone.
class PlacedSuffix {
 public:
  PlacedSuffix(const VisionLanguageModel& model, std::vector<Context> contexts)
      : model_(model), contexts_(std::move(contexts)) {}

  /// The tokens of a suffix. Nothing where the model cannot say, or where not all contexts have the same.
  std::optional<TextInPlace> find(const std::string& suffix) const;

  /// The suffix whose tokens are those of `now` with the one at `place` exchanged for `fresh`. Nothing when
  /// their text is tokenized otherwise in one of the prompts: it does not survive the round trip.
  std::optional<std::string> exchanged(const TextInPlace& now, size_t place, TokenId fresh) const;

 private:
  std::optional<std::string> text_of(const TextInPlace& now, const TokenIds& ids) const;

  const VisionLanguageModel& model_;
  std::vector<Context> contexts_;
};

}  // namespace hijack
