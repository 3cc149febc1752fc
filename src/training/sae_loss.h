#pragma once
#include <string>
#include <vector>

#include "src/base/tensor.h"

// What a step of training a sparse autoencoder minimizes. Shapes: n tokens, D width of the states, S latents.

namespace hijack {

/// What is learned. u = (x - decoder_bias) encoder + encoder_bias are the latents before their activation.
struct SaeLeaves {
  Tensor encoder, encoder_bias, decoder, decoder_bias;  ///< [D,S], [S], [S,D], [D]
  Tensor threshold = {};                                ///< [S]; of jumprelu
  std::vector<Tensor> all() const;
};

struct SaeLossConfig {
  std::string architecture = "topk";
  int64_t k = 32;          ///< topk, batchtopk
  double l1 = 1;           ///< standard
  double l0 = 1;           ///< jumprelu
  double bandwidth = 0.1;  ///< jumprelu
  int64_t dead_after = 300;
};

struct SaeLoss {
  Tensor loss;               ///< scalar: squared error per token, and the penalty of the architecture
  double smallest_kept = 0;  ///< batchtopk: of the active latents; 0 where none is
};

/// "topk", "standard", "jumprelu", "batchtopk".
std::vector<std::string> sae_architecture_names();

/// x [n,D]; quiet [S], steps since each latent was active, is brought up to date. penalty: share of l1 and l0
/// that counts (they are warmed up).
/// * topk: ReLU of the k largest u of each token (Gao et al. 2024); the D/2 largest dead latents (quiet for
///   dead_after steps) of each token reconstruct what is missing, with 1/32 of their error as auxiliary loss.
/// * batchtopk: ReLU of the n k largest u of all tokens together (Bussmann et al. 2024), the same auxiliary.
/// * standard: ReLU; l1 sum z |w_dec| (Bricken et al. 2023).
/// * jumprelu: u where u > threshold, else 0; l0 sum H(u - threshold); the threshold's gradient is that of
///   a rectangular kernel K of width `bandwidth` e: of z it is -(threshold / e) K((u - threshold) / e), of H
///   -(1 / e) K (Rajamanoharan et al. 2024, equations 11 and 12).
/// Throws Error for architectures that there are not.
SaeLoss sae_loss(const SaeLossConfig& config, const SaeLeaves& leaves, const Tensor& x, Tensor& quiet,
                 double penalty = 1);

}  // namespace hijack
