#pragma once
#include <array>
#include <functional>
#include <stop_token>
#include <string>

#include "src/training/parameters.h"

namespace hijack {

/// What every training has. Two stages: "vision", the tower alone, and "joint", answers with the tower's
/// losses kept.
struct TrainConfig {
  std::string out;
  std::string device = "cpu";
  uint64_t seed = 1;
  int64_t vision_steps = 1500;
  int64_t joint_steps = 3700;
  int64_t batch = 16;
  double vision_rate = 2e-3;
  double joint_rate = 1.5e-3;
  double tower_share = 0.3;
  double weight_decay = 0.05;
  int64_t checkpoint_every = 250;
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
    field("vision_rate", vision_rate, "peak learning rate of stage 1");
    field("joint_rate", joint_rate, "peak learning rate of stage 2");
    field("tower_share", tower_share, "learning rate of the tower in stage 2, as a share");
    field("weight_decay", weight_decay, "of matrices (AdamW)");
    field("checkpoint_every", checkpoint_every, "steps between checkpoints");
    field("resume", resume, "go on from the checkpoint in the out folder");
  }
};

/// Gives the config back. Throws Error for numbers that make no sense, and where the folder holds a training
/// that a new one would lose.
const TrainConfig& checked(const TrainConfig& config);

enum class Stage { kVision, kJoint };
std::string stage_name(Stage stage);

/// Scalars of one step, without graph: what the log calls by the names of Training::loss_names.
struct StepLosses {
  Tensor answer, label, reconstruction;
};

struct TrainProgress {
  std::string stage;  ///< "vision" or "joint"
  int64_t step = 0, steps = 0;
  double answer_loss = 0, label_loss = 0, reconstruction_loss = 0;
  double rate = 0;
  double sequences_per_second = 0;
  double seconds = 0;  ///< since the start of this call
};

/// What is trained: data and losses of a model.
class Training {
 public:
  virtual ~Training() = default;
  virtual Parameters& parameters() = 0;
  /// Data of the stage are wanted from this step on.
  virtual void begin(Stage stage, int64_t step) = 0;
  /// Leaves the gradients of the step's loss in parameters(). A pure function of the parameters and the step.
  virtual StepLosses gradients(Stage stage, int64_t step) = 0;
  /// What StepLosses holds, in its order.
  virtual std::array<const char*, 3> loss_names() const {
    return {"answer_loss", "label_loss", "reconstruction_loss"};
  }
  /// The training came to its end: writes the model.
  virtual void finish() = 0;
};

/// The loop around it: schedule, optimizer, checkpoints and log. Schedules depend on steps, not on the clock;
/// a resumed run on one machine gives the bytes of an uninterrupted one (on a CPU).
class Trainer {
 public:
  Trainer(const TrainConfig& config, Training& training);
  /// Trains to the end or to `stop`, which returns after the current step with a checkpoint written. Returns
  /// whether it came to the end.
  bool run(const std::function<void(const TrainProgress&)>& tell, std::stop_token stop);

 private:
  bool run_stage(Stage stage, const std::function<void(const TrainProgress&)>& tell, std::stop_token stop);
  double rate_at(Stage stage, int64_t step, const std::string& name) const;
  int64_t steps_of(Stage stage) const;
  void log(const TrainProgress& progress) const;
  void save_checkpoint(Stage stage, int64_t step) const;
  void load_checkpoint();

  TrainConfig config_;
  Training& training_;
  Stage stage_ = Stage::kVision;  ///< where it goes on
  int64_t step_ = 0;
};

}  // namespace hijack
