#pragma once
#include <string>
#include <vector>

#include "models/checkpoint/parameter_source.h"
#include "src/base/tensor.h"

// The blocks every family is made of, as plain tensors and functions: no module registry to forget a member
// in. Shapes: N batch, L tokens, D width, H heads, d head width.

namespace hijack {

// Autocast (ParameterSource::autocast) follows the rules of torch.autocast in bfloat16: matrix products,
// convolutions and attention round what they are given and what they give; norms, rotary turns, sums of the
// residual stream, logits and losses are float32. Frozen weights are rounded once, where they are read, and
// not at every pass, which gives the same numbers from half of the memory. As no state of a thread says it,
// recomputed blocks, backward passes and hooks need nothing to be restored.

/// Weights of 16 bits and inputs of float32 (see compute_dtype): the weight is widened a few hundred rows at
/// a time, forward and backward, so that no float32 copy of it is ever whole.
struct Linear {
  Tensor weight;          ///< [out, in]; bfloat16 with autocast
  Tensor bias;            ///< [out] or undefined
  bool autocast = false;  ///< any x -> bfloat16
  Linear() = default;
  Linear(const ParameterSource& source, const std::string& name, int64_t in, int64_t out, bool with_bias);
  /// Of parameters that something else has, too. bias may be undefined.
  Linear(const Tensor& weight, const Tensor& bias, bool autocast);
  /// The outputs [begin, begin + count).
  Linear rows(int64_t begin, int64_t count) const;
  Tensor operator()(const Tensor& x) const;
};

/// at::conv2d of x, whatever its type, without padding; bias may be undefined. With autocast float32 weights
/// are rounded (here at each pass: a tower has one, and it is small), and so is what comes out (bfloat16).
Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride, bool autocast);

/// stream + what a block adds to it, in the stream's type; consumes `added`.
Tensor residual_sum(const Tensor& stream, Tensor added);

struct LayerNorm {
  Tensor weight, bias;
  double epsilon = 1e-5;
  LayerNorm() = default;
  LayerNorm(const ParameterSource& source, const std::string& name, int64_t width, double eps);
  Tensor operator()(const Tensor& x) const;
};

/// x / rms(x) in float32, cast back, times weight (Zhang & Sennrich 2019, as Llama computes it); or, as Gemma
/// does, times 1 + weight before the cast.
struct RmsNorm {
  Tensor weight;
  double epsilon = 1e-6;
  bool adds_one = false;
  RmsNorm() = default;
  RmsNorm(const ParameterSource& source, const std::string& name, int64_t width, double eps,
          bool add_one = false);
  Tensor operator()(const Tensor& x) const;
};

enum class Activation { kQuickGelu, kGelu, kGeluTanh, kSilu };
/// From the names of config.json ("quick_gelu", "gelu", "gelu_pytorch_tanh", "silu"). Throws Error otherwise.
Activation activation_from_name(const std::string& name);
Tensor activate(Activation activation, const Tensor& x);
/// activate(gate) * x, as gated MLPs multiply them (Shazeer 2020, GLU variants).
Tensor gated(Activation activation, const Tensor& gate, const Tensor& x);

/// Cosine and sine of rotary positions (Su et al. 2021), float32 [1,1,L,d] or [N,1,L,d].
struct Rotary {
  Tensor cosine, sine;
};
/// positions [L], [N,L] or [A,N,L] int64, frequencies [d/2] (`rotary_frequencies`). With A axes, axes[i] is
/// the one by which frequency i turns (M-RoPE, Wang et al. 2024).
Rotary rotary(const Tensor& positions, const Tensor& frequencies, at::IntArrayRef axes = {});
/// x [N,H,L,d], its first channels (as many as the turn has) rotated in halves. With autocast in float32,
/// then rounded to bfloat16 for the attention.
Tensor apply_rotary(const Tensor& x, const Rotary& rotary, bool autocast = false);

/// [N,L,H*d] -> [N,H,L,d] and back.
Tensor split_heads(const Tensor& x, int64_t heads);
Tensor merge_heads(const Tensor& x);

}  // namespace hijack
