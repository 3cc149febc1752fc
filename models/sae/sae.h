#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "models/state_hooks.h"
#include "src/base/tensor.h"

// Sparse autoencoders in the folders of SAELens: cfg.json and sae_weights.safetensors. Shapes: n tokens, D
// width of the states, S latents.

namespace hijack {

/// z = activation((x - b_dec) W_enc + b_enc), x' = z W_dec + b_dec. Activations: "standard": ReLU (Bricken et
/// al. 2023, Cunningham et al. 2023); "topk": ReLU of the k largest (Gao et al. 2024); "jumprelu": u where u
/// > threshold, else 0 (Rajamanoharan et al. 2024; BatchTopK is saved as one).
struct SparseAutoencoder {
  std::string architecture = "topk";
  Tensor encoder = {};         ///< W_enc [D,S]
  Tensor encoder_bias = {};    ///< b_enc [S]
  Tensor decoder = {};         ///< W_dec [S,D]
  Tensor decoder_bias = {};    ///< b_dec [D]
  Tensor threshold = {};       ///< [S], of jumprelu
  int64_t k = 0;               ///< of topk
  bool subtracts_bias = true;  ///< b_dec from x before the encoder (apply_b_dec_to_input)
  /// What SAELens keeps beside the numbers ("metadata"): texts of model_name, hook_name, ...; "" where there
  /// are none.
  std::string model_name = {}, hook_name = {};
  std::string model_sha256 = {};  ///< ours: of the files that decide what the model computes
  std::string tokens = {};        ///< ours: of which it learned, a name of TokenChoice; "" = not said

  int64_t width() const { return encoder.size(0); }
  int64_t latents() const { return encoder.size(1); }
  /// x [..,D] -> z [..,S], and back; in the dtype of the weights.
  Tensor encode(const Tensor& x) const;
  Tensor decode(const Tensor& latents) const;

  /// Reads a folder, in the present form and in that of SAELens 3 to 5 (metadata at the root,
  /// activation_fn_str). Throws Error for architectures and normalizations that are not read here, naming
  /// them, and for tensors that do not fit together.
  static SparseAutoencoder read(const std::filesystem::path& folder);
  /// Writes one in the present form, float32.
  void write(const std::filesystem::path& folder) const;
};

/// SAELens' (TransformerLens') name of a hook, whose blocks count from 0: "blocks.3.hook_resid_post" of
/// residual 4.
std::string lens_hook_name(const Hook& hook);
/// And back. Throws Error for names of other places.
Hook hook_of_lens_name(const std::string& name);

/// How well x' stands for x [n,D]: 1 - sum |x - x'|^2 / sum |x - mean x|^2.
double explained_variance(const Tensor& x, const Tensor& reconstructed);

}  // namespace hijack
