#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "models/sae/sae.h"
#include "src/training/sae_loss.h"
#include "src/training/sae_states.h"

// Training of sparse autoencoders on stored activations (`hijack activations`), or on those of a model as it
// computes them.

namespace hijack {

struct SaeTrainConfig : SaeLossConfig {
  std::vector<std::string> activations;
  std::string out;
  int64_t expansion = 8;
  double threshold = 0.1;
  int64_t steps = 3000;
  int64_t batch = 512;
  double rate = 3e-4;
  uint64_t seed = 0;
  int64_t checkpoint_every = 500;
  bool resume = false;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("activations", activations, "files that 'hijack activations' wrote, of one model and hook");
    field("out", out, "folder of the autoencoder (SAELens' form: cfg.json, sae_weights.safetensors)");
    field(
        "architecture", architecture,
        "topk (Gao et al. 2024; dead latents are revived by an auxiliary loss), batchtopk (k for each token "
        "on average, Bussmann et al. 2024; saved as jumprelu), standard (ReLU with an L1 penalty, Bricken "
        "et al. 2023) or jumprelu (learned thresholds with an L0 penalty, Rajamanoharan et al. 2024)");
    field("expansion", expansion, "latents for each number of a state");
    field("k", k, "topk, batchtopk: latents that are active for a token");
    field(
        "l1", l1,
        "standard: weight of sum z |w_dec| beside the squared error, both per token, states of norm sqrt(D)");
    field("l0", l0,
          "jumprelu: weight of the number of active latents beside the squared error, both per token, states "
          "of norm sqrt(D); warmed up over the first tenth of the steps");
    field("bandwidth", bandwidth, "jumprelu: width of the kernel through which thresholds learn");
    field("threshold", threshold, "jumprelu: of every latent at the start");
    field("steps", steps, "steps of Adam");
    field("batch", batch, "tokens a step");
    field("rate", rate,
          "learning rate; warmed up over a twentieth of the steps, and down to 0 over the last fifth");
    field("dead_after", dead_after, "steps without activity after which a latent counts as dead");
    field("seed", seed, "of initialization and batches");
    field("checkpoint_every", checkpoint_every, "steps between checkpoints");
    field("resume", resume, "go on from the checkpoint in the out folder");
  }
};

/// What the autoencoder does on tokens of prompts that it was not trained on.
struct SaeMeasures {
  int64_t tokens = 0;             ///< held out
  double l0 = 0;                  ///< active latents a token
  double explained_variance = 0;  ///< 1 - sum |x - x'|^2 / sum |x - mean x|^2
  double dead_share = 0;          ///< of latents: active for no token of the whole set
};
nlohmann::json to_json(const SaeMeasures& measures);

struct SaeProgress {
  int64_t step = 0, steps = 0;
  double loss = 0;
};

/// Trains on states and measures on others. States are scaled to a mean norm of sqrt(D) while training, which
/// is folded into the weights at the end; the decoder begins with random unit rows, the encoder as its
/// transpose, b_dec as the mean (Gao et al. 2024, appendix A). A resumed training gives the bytes of an
/// uninterrupted one on the same machine.
class SaeTraining {
 public:
  /// On stored activations, which are read. Throws Error for numbers that make no sense, for an out folder
  /// that holds another training, and as stored_states.
  explicit SaeTraining(const SaeTrainConfig& config);
  /// On others, of config.seed.
  SaeTraining(const SaeTrainConfig& config, std::unique_ptr<SaeStates> states);
  /// Throws Error as the constructors do, before anything is read.
  static void check(const SaeTrainConfig& config);
  /// To the end or to `stop`; whether it came to the end. Then the folder is written.
  bool run(const std::function<void(const SaeProgress&)>& tell, std::stop_token stop);
  SaeMeasures measure() const;
  /// What has been learned so far.
  SparseAutoencoder folded() const;

 private:
  void initialize();
  double take_step(int64_t step);
  double rate_at(int64_t step) const;
  void save_checkpoint(int64_t step) const;
  int64_t load_checkpoint();
  std::string settings() const;

  SaeTrainConfig config_;
  std::unique_ptr<SaeStates> states_;
  double scale_ = 1;
  SaeLeaves leaves_;
  std::vector<Tensor> first_, second_;  // Adam's moments
  Tensor quiet_;                        // [S] steps since each latent was active
  double kept_ = 0;                     // batchtopk: running mean of the smallest active latents
};

}  // namespace hijack
