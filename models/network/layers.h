#pragma once
#include <string>
#include <vector>

#include "models/checkpoint/parameter_source.h"
#include "src/base/tensor.h"

// The blocks every family is made of, as plain tensors and functions: no module registry to forget a member
// in. Shapes: N batch, L tokens, D width, H heads, d head width.

namespace hijack {

/// Weights of 16 bits and inputs of float32 (see compute_dtype): the weight is widened a few hundred rows at
/// a time, forward and backward, so that no float32 copy of it is ever whole.
struct Linear {
  Tensor weight;  ///< [out, in]
  Tensor bias;    ///< [out] or undefined
  Linear() = default;
  Linear(const ParameterSource& source, const std::string& name, int64_t in, int64_t out, bool with_bias);
  Tensor operator()(const Tensor& x) const;
};

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
/// x [N,H,L,d], its first channels (as many as the turn has) rotated in halves.
Tensor apply_rotary(const Tensor& x, const Rotary& rotary);

/// [N,L,H*d] -> [N,H,L,d] and back.
Tensor split_heads(const Tensor& x, int64_t heads);
Tensor merge_heads(const Tensor& x);

}  // namespace hijack
