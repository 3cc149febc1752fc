#pragma once
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "src/base/tensor.h"

// How the queries of a layer see keys. Decoder blocks compute queries, keys and values and hand them to a
// plan; caches, masks and the shared prefix are the plan's business. Shapes: N batch, H heads, K key-value
// heads (H % K == 0), L tokens, P prefix tokens, d head width.

namespace hijack {

/// Keys and values of every layer, [N,K,L,d] each, rotated.
struct KeyValues {
  std::vector<Tensor> keys;
  std::vector<Tensor> values;
  int64_t length() const { return keys.empty() ? 0 : keys.front().size(2); }
};

/// query [N,H,L,d], key and value [N,K,L,d] of the new tokens, and what the plan shares -> [N,H,L,d].
using AttentionKernel = std::function<Tensor(const Tensor& query, const Tensor& key, const Tensor& value,
                                             std::span<const Tensor> shared)>;

class AttentionPlan {
 public:
  virtual ~AttentionPlan() = default;
  /// For a layer. May be called a second time after the plan is gone (a block that is recomputed), except
  /// where there are no gradients.
  virtual AttentionKernel kernel(int64_t layer) = 0;
  /// What the kernel reads from other passes and may take a gradient.
  virtual std::vector<Tensor> shared(int64_t layer) const { return (void)layer, std::vector<Tensor>(); }
  /// Called once a layer with what the kernel was given.
  virtual void record(int64_t layer, const Tensor& key, const Tensor& value) {
    (void)layer, (void)key, (void)value;
  }
};

/// Softmax attention; key-value heads are repeated to the query's. mask [.,.,L,L']: bool (true = seen), or
/// numbers of the query's dtype that are added to the scores; or undefined.
Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                 bool causal);

/// Causal attention over the sequence and what came before it; keeps keys and values for what comes after.
class CausalPlan : public AttentionPlan {
 public:
  /// past: keys and values of the tokens before, or none; no gradient flows to them.
  explicit CausalPlan(KeyValues past = {}) : past_(std::move(past)) {}
  AttentionKernel kernel(int64_t layer) override;
  void record(int64_t layer, const Tensor& key, const Tensor& value) override;
  /// Of the past and the sequence.
  const KeyValues& kept() const { return kept_; }

 private:
  KeyValues past_, kept_;
};

/// One mask for all layers, bool [N,1,L,L].
class MaskedPlan : public AttentionPlan {
 public:
  explicit MaskedPlan(Tensor mask) : mask_(std::move(mask)) {}
  AttentionKernel kernel(int64_t layer) override;

 private:
  Tensor mask_;
};

/// The tokens that follow a shared prefix in several sequences, packed into one [1,L] without padding.
struct PackedTokens {
  /// The token before each token; -1: the prefix's last one. Sequences that begin alike may share tokens.
  std::vector<int64_t> parents;
  /// Where a sequence's own tokens begin, ascending, the first 0. From there to the next each token's parent
  /// is the one before it.
  std::vector<int64_t> runs;
  /// For each run: so many tokens at its start see each other in both directions.
  std::vector<int64_t> blocks;
  int64_t size() const { return static_cast<int64_t>(parents.size()); }
};

/// Each packed token sees the shared prefix, its ancestors and itself. Runs are taken together in groups of
/// some hundred tokens under one mask, so the prefix is neither copied per sequence nor are all pairs
/// computed.
class SharedPrefixPlan : public AttentionPlan {
 public:
  /// like: the packed embeddings; their dtype and device are those of the pass.
  SharedPrefixPlan(const KeyValues& prefix, const PackedTokens& tokens, const Tensor& like);
  AttentionKernel kernel(int64_t layer) override;
  std::vector<Tensor> shared(int64_t layer) const override;
  void record(int64_t layer, const Tensor& key, const Tensor& value) override;
  const KeyValues& kept() const { return kept_; }

 private:
  struct Group {
    Tensor before;  // [A] ancestors outside of the group, undefined when there are none
    Tensor mask;    // [1,1,L_group,P+A+L_group], 0 where seen and -inf elsewhere
  };
  struct Groups {
    std::vector<Group> all;
    std::vector<int64_t> sizes;
  };
  const KeyValues& prefix_;
  std::shared_ptr<const Groups> groups_;
  KeyValues kept_;
};

/// Decoding one token per row: keys and values live in preallocated rows [N,K,capacity,d].
class CachePlan : public AttentionPlan {
 public:
  /// Row i holds the prefix, then the tokens paths[i] of `packed`, then room for new tokens, the first of
  /// which has the rotary position next[i].
  CachePlan(const KeyValues& prefix, const KeyValues& packed, const std::vector<std::vector<int64_t>>& paths,
            const std::vector<int64_t>& next, int64_t room);
  AttentionKernel kernel(int64_t layer) override;
  /// Positions [N,1] of the tokens that come now; advance() after each token.
  Tensor positions() const;
  void advance();
  /// Keeps only these rows.
  void keep(const Tensor& rows);

 private:
  Tensor attend(int64_t layer, const Tensor& query, const Tensor& key, const Tensor& value);

  KeyValues cache_;
  Tensor filled_;  // [N] tokens in each row
  Tensor next_;    // [N] position of the token that comes now
  Tensor mask_;    // [N,1,1,visible]
  int64_t longest_ = 0;
};

}  // namespace hijack
