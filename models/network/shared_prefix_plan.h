#pragma once
#include <memory>
#include <vector>

#include "models/network/attention.h"

// The plan of many sequences behind one prefix: all of them in one pass, the prefix computed once.

namespace hijack {

/// The tokens that follow a shared prefix in several sequences, packed into one [1,L] without padding.
struct PackedTokens {
  /// The token before each token; -1: the prefix's last one. Sequences that begin alike may share tokens.
  std::vector<int64_t> parents;
  /// Where a sequence's own tokens begin, ascending, the first 0. From there to the next each token's parent
  /// is the one before it.
  std::vector<int64_t> runs;
  /// Of packed tokens, each inside one run.
  std::vector<TokenBlock> blocks = {};
  int64_t size() const { return static_cast<int64_t>(parents.size()); }
};

/// Each packed token sees the shared prefix, its ancestors and itself. On a CPU the prefix is read where it
/// lies (shared_prefix_attention.h), and runs are taken together in small groups under one mask, so that
/// nearly no pairs are computed that do not count. On a GPU, in 16 bits, and in layers whose window cuts what
/// is before or whose scores are capped, groups have some hundred tokens, and the prefix is copied for each.
class SharedPrefixPlan : public AttentionPlan {
 public:
  /// prefix: keys and values of every layer, of no token where nothing is shared; their dtype and device are
  /// those of the pass. Both are kept by reference.
  SharedPrefixPlan(const KeyValues& prefix, const PackedTokens& tokens) : prefix_(prefix), tokens_(tokens) {}
  AttentionKernel kernel(int64_t layer, const AttentionRule& rule) override;
  std::vector<Tensor> shared(int64_t layer) const override;
  void record(int64_t layer, const Tensor& key, const Tensor& value) override;
  const KeyValues& kept() const { return kept_; }

 private:
  struct Groups;

  /// Whether the layer's window hides something from the token that has the most before it.
  bool cuts(const AttentionRule& rule) const;
  /// Over the prefix and over the packed tokens, joined.
  AttentionKernel in_parts(const AttentionRule& rule);

  const KeyValues& prefix_;
  const PackedTokens& tokens_;
  std::shared_ptr<Groups> with_prefix_, own_;  // made when a layer asks for them
  KeyValues kept_;
};

}  // namespace hijack
