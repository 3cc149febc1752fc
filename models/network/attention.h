#pragma once
#include <functional>
#include <map>
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
  /// Of the next layer.
  void append(const Tensor& key, const Tensor& value) {
    keys.push_back(key);
    values.push_back(value);
  }
};

/// Tokens [begin, end) of a sequence that see each other in both directions.
struct TokenBlock {
  int64_t begin = 0, end = 0;
  bool operator==(const TokenBlock&) const = default;
};

/// How a layer weighs what its queries see.
struct AttentionRule {
  int64_t window = 0;   ///< so many tokens are seen, the query's own the last of them; 0: all before it
  double scale = 0;     ///< of the products of query and key; 0: 1 / sqrt(d)
  double soft_cap = 0;  ///< scores s become cap tanh(s / cap); 0: they stay
  /// Whether tokens of a block see each other beyond the window, too (PaliGemma 2), or not (Gemma 3).
  bool blocks_leave_window = false;
};

/// query [N,H,L,d], key and value [N,K,L,d] of the new tokens, and what the plan shares -> [N,H,L,d].
using AttentionKernel = std::function<Tensor(const Tensor& query, const Tensor& key, const Tensor& value,
                                             std::span<const Tensor> shared)>;

class AttentionPlan {
 public:
  virtual ~AttentionPlan() = default;
  /// For a layer. May be called a second time after the plan is gone (a block that is recomputed), except
  /// where there are no gradients.
  virtual AttentionKernel kernel(int64_t layer, const AttentionRule& rule) = 0;
  /// What the kernel reads from other passes and may take a gradient.
  virtual std::vector<Tensor> shared(int64_t layer) const { return (void)layer, std::vector<Tensor>(); }
  /// Called once a layer with what the kernel was given.
  virtual void record(int64_t layer, const Tensor& key, const Tensor& value) {
    (void)layer, (void)key, (void)value;
  }
};

/// Softmax attention; key-value heads are repeated to the query's. mask [.,.,L,L']: bool (true = seen), or
/// numbers that are added to the scores; or undefined. Of the rule, scale and cap count; its window stands in
/// the mask. Everything is computed and given in the value's type: where norms have made queries and keys
/// wider than the values that autocast rounds (layers.h), they are rounded, too.
Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask, bool causal,
                 const AttentionRule& rule = {});

/// attention() without places that count (a mask, or all is seen) where heads share keys and values: the
/// queries of these heads become queries of one head, so that neither keys nor values are repeated. The
/// mask's rows may already come once for each of them: [.,.,H/K*L,L'].
Tensor shared_head_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                             const AttentionRule& rule = {});

/// How often a mask's rows come for attention(), which is faster where it need not repeat them.
int64_t mask_times(const Tensor& query, const Tensor& key, const AttentionRule& rule);

/// Causal attention over the sequence and what came before it; keeps keys and values for what comes after.
class CausalPlan : public AttentionPlan {
 public:
  /// past: keys and values of the tokens before, or none; no gradient flows to them. blocks: of new tokens,
  /// counted from the sequence's first one.
  explicit CausalPlan(KeyValues past = {}, std::vector<TokenBlock> blocks = {});
  AttentionKernel kernel(int64_t layer, const AttentionRule& rule) override;
  void record(int64_t layer, const Tensor& key, const Tensor& value) override;
  /// Of the past and the sequence.
  const KeyValues& kept() const { return kept_; }

 private:
  struct Masks;

  KeyValues past_, kept_;
  std::shared_ptr<Masks> masks_;
};

/// One mask for all layers, bool [N,1,L,L].
class MaskedPlan : public AttentionPlan {
 public:
  explicit MaskedPlan(Tensor mask) : mask_(std::move(mask)) {}
  AttentionKernel kernel(int64_t layer, const AttentionRule& rule) override;

 private:
  Tensor mask_;
};

/// Decoding one token per row: keys and values live in preallocated rows [N,K,capacity,d].
class CachePlan : public AttentionPlan {
 public:
  /// Row i holds the prefix, then the tokens paths[i] of `packed`, then room for new tokens, the first of
  /// which has the rotary position next[i].
  CachePlan(const KeyValues& prefix, const KeyValues& packed, const std::vector<std::vector<int64_t>>& paths,
            const std::vector<int64_t>& next, int64_t room);
  AttentionKernel kernel(int64_t layer, const AttentionRule& rule) override;
  /// Positions [N,1] of the tokens that come now; advance() after each token.
  Tensor positions() const;
  void advance();
  /// Keeps only these rows.
  void keep(const Tensor& rows);

 private:
  Tensor attend(int64_t layer, const AttentionRule& rule, const Tensor& query, const Tensor& key,
                const Tensor& value);
  Tensor mask(int64_t window);

  KeyValues cache_;
  Tensor filled_;                    // [N] tokens in each row
  Tensor next_;                      // [N] position of the token that comes now
  std::map<int64_t, Tensor> masks_;  // of this step, [N,1,1,visible], by window (0: none)
  int64_t longest_ = 0;
};

}  // namespace hijack
