#pragma once
#include <filesystem>
#include <memory>

#include "models/activations/collect.h"
#include "models/sae/patched.h"
#include "src/training/sae_states.h"

// States straight from a model, without a file in between.

namespace hijack {

/// What is asked of which model.
struct StreamedModel {
  std::shared_ptr<const VisionLanguageModel> model;
  /// Its name and hash, hook, tokens and width, and the names of images and contexts.
  ActivationSource source = {};
  std::vector<std::filesystem::path> images = {};  ///< read when they are needed; one that is "": text alone
  std::vector<Query> queries = {};
  int64_t max_new_tokens = 16;  ///< of replies, where their tokens are learned from
  int64_t buffer = 32768;       ///< tokens in memory at a time
};

/// The buffer is filled with tokens of conversations drawn at random, is learned from until about as many
/// tokens have been drawn as it holds, and is filled again, by what the step's number alone decides. Every
/// tenth context is held out (and of images every tenth token), at most a buffer of them. Throws Error for
/// fewer than ten contexts, fewer than 64 tokens, and as collect_activations.
std::unique_ptr<SaeStates> streamed_states(const StreamedModel& streamed, int64_t batch, uint64_t seed);

/// patched_loss on the model's own replies to the held-out contexts, at most `most` of them for each image.
PatchedLoss held_out_loss(const StreamedModel& streamed, const SparseAutoencoder& sae, size_t most = 16);

}  // namespace hijack
