#pragma once
#include "src/training/eye_data.h"
#include "src/training/tower_to_train.h"
#include "src/training/trainer.h"

// Adversarial fine-tuning of a vision tower. Shapes: N images, S side of the tower's input, T tokens, D
// width.

namespace hijack {

struct RobustTowerConfig : TrainConfig {
  std::string model;
  std::string method = "fare";
  std::string epsilon = "4/255";
  int64_t inner_steps = 10;
  std::string inner_step = "1/255";
  double clean_weight = 0;
  std::string images;
  RobustTowerConfig() {
    vision_steps = 300;
    joint_steps = 0;
    batch = 8;
    vision_rate = 3e-4;
    weight_decay = 1e-4;
    checkpoint_every = 50;
  }

  template <class Visitor>
  void visit(Visitor&& field) {
    field("model", model,
          "whose tower is made robust: a llava folder, or the folder of a CLIP or SigLIP tower; empty: the "
          "shipped model");
    field("out", out, "folder of the new tower (what --vision-tower takes), its checkpoint and its log");
    field("method", method,
          "fare (Schlarmann et al. 2024: features under attack stay those of the original tower), simclip "
          "(Hossain & Imteaj 2024: the same inner attack; cosine between both, each held fixed in turn) or "
          "tecoa (Mao et al. 2023, with labels: the right answers about drawn scenes, by the model's own "
          "decoder; llava folders only)");
    field("epsilon", epsilon, "l_inf radius of the inner attack");
    field("inner_steps", inner_steps, "steps of the inner attack (PGD with momentum .9, random start)");
    field("inner_step", inner_step, "length of a step of the inner attack");
    field("clean_weight", clean_weight, "share of the loss on the image without attack, from 0 to 1");
    field("images", images,
          "folder of photos to train on; empty: drawn scenes and textures, half and half (tecoa: scenes)");
    field("seed", seed, "of images and of the inner attack's starts");
    field("steps", vision_steps, "steps of training");
    field("batch", batch, "images a step");
    field("rate", vision_rate, "peak learning rate");
    field("weight_decay", weight_decay, "of matrices");
    field("checkpoint_every", checkpoint_every, "steps between checkpoints");
    field("resume", resume, "go on from the checkpoint in the out folder");
    field("device", device, "cpu, cuda or cuda:1");
  }
};
std::vector<std::string> robust_methods();

/// How far a tower's features are from the original tower's, as a share of their length, on images that no
/// training draws: sqrt(sum |f(x') - f_orig(x)|^2 / sum |f_orig(x)|^2).
struct TowerMovement {
  double clean = 0;     ///< x' = x
  double attacked = 0;  ///< x' made on this tower by the inner attack with twice as many steps
};

/// FARE minimizes max |f(x + d) - f_orig(x)|^2 over |d|_inf <= epsilon (Schlarmann et al. 2024), the maximum
/// by PGD. Features are what a model reads of the tower: all patches of its feature layers (the paper: the
/// class token). The optimizer is that of all trainings here (Parameters::step).
class RobustTowerTraining : public Training {
 public:
  /// Throws Error for numbers that make no sense, an unknown method, tecoa without a model or with photos,
  /// and a folder that holds a training with other settings.
  explicit RobustTowerTraining(const RobustTowerConfig& config);
  Parameters& parameters() override { return parameters_; }
  void begin(Stage, int64_t) override {}
  StepLosses gradients(Stage stage, int64_t step) override;
  std::array<const char*, 3> loss_names() const override { return {"loss", "attacked", "clean"}; }
  void finish() override;

  bool of_model() const { return source_.model.has_value(); }
  /// Of the original tower, and of the trained one.
  std::pair<TowerMovement, TowerMovement> measure() const;
  /// The loss [N] that the inner attack raises, of these images: for fare and simclip the squared distance to
  /// the original features, a mean over the tokens. For tests.
  Tensor harm(const Tensor& images, const Tensor& wanted) const;
  /// What the inner attack makes of images [N,3,S,S] in [0,1].
  Tensor attacked(const VisionTower& tower, const Tensor& images, const Tensor& wanted, int64_t steps,
                  Random& random) const;
  /// The original tower's features.
  Tensor original(const Tensor& images) const;

 private:
  struct Batch {
    Tensor images;  // [N,3,S,S] in [0,1]
    Tensor wanted;  // [N,T,D] the original features
    std::vector<std::vector<Query>> queries;
    std::vector<std::vector<TokenIds>> targets;
  };
  void keep_settings() const;
  Batch draw(const char* purpose, uint64_t index) const;
  Tensor drawn_images(Random& random) const;
  void draw_questions(Batch& batch, Random& random) const;
  Tensor answer_losses(const Batch& batch, const Tensor& images) const;
  Tensor harm(const Batch& batch, const Tensor& images) const;
  Tensor loss(const Batch& batch, const Tensor& attacked) const;
  Tensor search(const std::function<Tensor(const Tensor&)>& harm, const Tensor& images, int64_t steps,
                Random& random) const;

  RobustTowerConfig config_;
  at::Device device_;
  double epsilon_, inner_step_;
  TowerToTrain source_;
  std::vector<Tensor> photos_;
  Parameters parameters_;
  std::optional<VisionTower> original_, tower_;
  std::shared_ptr<const Llava> model_;  ///< with the trained tower, for tecoa
};

}  // namespace hijack
