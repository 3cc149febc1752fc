#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "src/pocket/batch.h"
#include "src/pocket/parameters.h"
#include "src/pocket/pocket_model.h"
#include "src/pocket/whitening.h"

namespace hijack {

struct TrainConfig {
  std::string out = "runs/pocket";
  std::string device = "cpu";
  uint64_t seed = 1;
  int64_t vision_steps = 1500;
  int64_t joint_steps = 3700;
  int64_t batch = 16;
  int64_t sequence_tokens = 240;
  double vision_rate = 2e-3;
  double joint_rate = 1.5e-3;
  double tower_share = 0.3;
  double weight_decay = 0.05;
  int64_t checkpoint_every = 250;
  int64_t workers = 0;
  bool resume = false;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("out", out, "folder of the model, its checkpoint and its log");
    field("device", device, "cpu, cuda or cuda:1");
    field("seed", seed, "of data, initialization and noise");
    field("vision_steps", vision_steps,
          "steps of stage 1: the tower alone, patch labels and whitened reconstruction");
    field("joint_steps", joint_steps, "steps of stage 2: answers, with both tower losses kept");
    field("batch", batch, "sequences a step");
    field("sequence_tokens", sequence_tokens, "length of a packed sequence");
    field("vision_rate", vision_rate, "peak learning rate of stage 1");
    field("joint_rate", joint_rate, "peak learning rate of stage 2");
    field("tower_share", tower_share, "learning rate of the tower in stage 2, as a share");
    field("weight_decay", weight_decay, "of matrices (AdamW)");
    field("checkpoint_every", checkpoint_every, "steps between checkpoints");
    field("workers", workers, "threads that make data; 0 = all cores but one");
    field("resume", resume, "go on from the checkpoint in the out folder");
  }
};

struct TrainProgress {
  std::string stage;  ///< "vision" or "joint"
  int64_t step = 0, steps = 0;
  double answer_loss = 0, label_loss = 0, reconstruction_loss = 0;
  double rate = 0;
  double sequences_per_second = 0;
  double seconds = 0;  ///< since the start of this call
};

/// Makes the pocket model from nothing (recipe: samples/pocket/README.md). Schedules depend on steps, not on
/// the clock; a resumed run on one machine gives the bytes of an uninterrupted one (on a CPU).
class PocketTrainer {
 public:
  explicit PocketTrainer(const TrainConfig& config);
  /// Trains to the end or to `stop`, which returns after the current step with a checkpoint written. Returns
  /// whether it came to the end; then the Hugging Face folder is in `out`.
  bool run(const std::function<void(const TrainProgress&)>& tell, std::stop_token stop);

 private:
  struct Losses {
    Tensor total, answer, label, reconstruction;
  };
  bool run_stage(const std::string& stage, const std::function<void(const TrainProgress&)>& tell,
                 std::stop_token stop);
  Losses vision_losses(const Tensor& features, const PocketBatch& batch, const Tensor& wanted);
  Losses losses(const PocketBatch& batch, bool joint);
  /// One step of the optimizer; the noise of augmentation depends on the seed and the step.
  Losses take_step(const PocketBatch& batch, bool joint, int64_t step, uint64_t seed);
  Tensor answer_loss(const PocketBatch& batch, const Tensor& features);
  Tensor weak_texture(const Tensor& images);
  double rate_at(bool joint, int64_t step, const std::string& name) const;
  void log(const TrainProgress& progress) const;
  void save_checkpoint(const std::string& stage, int64_t step) const;
  void load_checkpoint();
  void initialize_filters();

  TrainConfig config_;
  at::Device device_;
  Parameters parameters_;
  std::string tokenizer_json_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Whitening whitening_;
  std::optional<LlavaNetwork> network_;
  Linear label_head_, reconstruction_head_;
  at::Generator generator_;
  std::string resumed_stage_;
  int64_t resumed_step_ = 0;
};

}  // namespace hijack
