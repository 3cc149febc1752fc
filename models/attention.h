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

/// Softmax attention; key-value heads are repeated to the query's. mask: bool [.,.,L,L'] (true = seen) or
/// undefined.
Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                 bool causal);

/// Plain causal attention over the sequence itself; keeps its keys and values for the suffixes.
class CausalPlan : public AttentionPlan {
 public:
  AttentionKernel kernel(int64_t layer) override;
  void record(int64_t layer, const Tensor& key, const Tensor& value) override;
  const KeyValues& kept() const { return kept_; }

 private:
  KeyValues kept_;
};

/// One mask for all layers, bool [N,1,L,L].
class MaskedPlan : public AttentionPlan {
 public:
  explicit MaskedPlan(Tensor mask) : mask_(std::move(mask)) {}
  AttentionKernel kernel(int64_t layer) override;

 private:
  Tensor mask_;
};

/// Suffixes of different lengths packed into one sequence [1,sum(lengths)], without padding. Each sees the
/// shared prefix and itself. Suffixes are taken together in groups of some hundred tokens under a
/// block-diagonal causal mask, so the prefix is neither copied per suffix nor are all pairs computed.
class SharedPrefixPlan : public AttentionPlan {
 public:
  /// blocks[i]: so many tokens at the start of suffix i see each other in both directions; empty: none do.
  SharedPrefixPlan(const KeyValues& prefix, const std::vector<int64_t>& lengths, at::Device device,
                   const std::vector<int64_t>& blocks = {});
  AttentionKernel kernel(int64_t layer) override;
  std::vector<Tensor> shared(int64_t layer) const override;
  void record(int64_t layer, const Tensor& key, const Tensor& value) override;
  const KeyValues& kept() const { return kept_; }

 private:
  struct Group {
    int64_t begin, end;  // of the packed tokens
    Tensor mask;         // [1,1,L_group,P+L_group]
  };
  const KeyValues& prefix_;
  std::shared_ptr<const std::vector<Group>> groups_;
  KeyValues kept_;
};

/// Decoding one token per row: keys and values live in preallocated rows [N,K,capacity,d].
class CachePlan : public AttentionPlan {
 public:
  /// Row i holds the prefix, then suffix i of `suffixes` (packed, lengths), then room for new tokens, the
  /// first of which has the rotary position next[i].
  CachePlan(const KeyValues& prefix, const KeyValues& suffixes, const std::vector<int64_t>& lengths,
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
