#pragma once
#include <span>
#include <string>

#include "attacks/behavior.h"
#include "models/vision_language_model.h"

namespace hijack {

/// Text-side positive control: a suffix that steers the model by the prompt instead of the image, and looks
/// like gibberish, so that text-side defenses have something to find (GCG without gradients; Zou et al.
/// 2023).

/// The context with the suffix after its prompt, one space between.
Context with_suffix(const Context& context, const std::string& suffix);

/// `tokens` random printable tokens whose text is tokenized to the same ids again. Throws Failure when the
/// vocabulary has no such sequence.
std::string gibberish_suffix(const Tokenizer& tokenizer, int64_t tokens, uint64_t seed);

/// Starts at gibberish and keeps a random swap of one token whenever it lowers the target's loss (mean over
/// contexts of nats per token, end of reply included). `iterations` candidates are measured, each over all
/// contexts in one pass; those that do not survive decode and encode are skipped. image [1,3,H,W] is what the
/// model sees meanwhile. Throws Error for no contexts, an empty target, or tokens or iterations out of range.
std::string random_search_suffix(const VisionLanguageModel& model, const Tensor& image,
                                 std::span<const Context> contexts, const std::string& target, int64_t tokens,
                                 int64_t iterations, uint64_t seed);

/// The loss that the search lowers.
double suffix_loss(const VisionLanguageModel& model, const Pixels& pixels, std::span<const Context> contexts,
                   const std::string& target, const std::string& suffix);

}  // namespace hijack
