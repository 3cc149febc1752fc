#pragma once
#include <optional>

#include "src/training/eye_data.h"
#include "src/training/eye_model.h"
#include "src/training/tower_losses.h"
#include "src/training/trainer.h"

namespace hijack {

struct EyeTrainConfig : TrainConfig {
  std::string decoder;
  std::string start;
  std::string image_token;
  std::string photos;
  std::string prompts;
  int64_t chat_prompts = 400;
  int64_t reply_tokens = 40;
  int64_t threads = 0;
  EyeTrainConfig() {
    out = "runs/eye";
    vision_steps = 300;
    joint_steps = 4000;
    batch = 4;
    vision_rate = 1e-3;
    joint_rate = 1e-3;
    checkpoint_every = 100;
  }

  template <class Visitor>
  void visit(Visitor&& field) {
    TrainConfig::visit(field);
    field("decoder", decoder, "folder of a text decoder, which stays as it is");
    field("start", start,
          "safetensors file or model folder whose tower (and projector) training starts from");
    field("image_token", image_token,
          "added token of the decoder's tokenizer that becomes <image>; empty: the first that nothing uses");
    field("photos", photos, "folder of photos to chat in front of, beside scenes and textures");
    field("prompts", prompts, "file of chat prompts, one a line; empty: built-in ones");
    field("chat_prompts", chat_prompts, "how many of them; the decoder answers each before training");
    field("reply_tokens", reply_tokens, "length of the decoder's own replies");
    field("threads", threads,
          "sequences that are worked on at once; 0 = all cores. Results do not depend on it");
  }
};

/// The model folder in config.out of the eye in config.start, complete, and the decoder; nothing is trained.
void assemble_eye(const EyeTrainConfig& config);

/// Tower and projector in front of a frozen decoder (samples/smollm2/README.md): answers about scenes, and
/// the decoder's own replies to ordinary prompts (self-distillation), so that it goes on talking as it does
/// without an image. Patches are labeled by the decoder's own word embeddings.
class EyeTraining : public Training {
 public:
  explicit EyeTraining(const EyeTrainConfig& config);
  Parameters& parameters() override { return parameters_; }
  void begin(Stage, int64_t) override {}
  StepLosses gradients(Stage stage, int64_t step) override;
  void finish() override;
  const EyeModel& eye() const { return *eye_; }

 private:
  /// One image or a few, whose loss is computed on a thread of its own.
  struct Piece {
    Tensor images = {};        // uint8 [n,3,112,112]
    Tensor patch_labels = {};  // int64 [n,64]
    EyeSequence sequence = {};
    uint64_t noise_seed = 0;
  };
  std::vector<Piece> pieces(Stage stage, int64_t step) const;
  Tensor normalized(const Tensor& images) const;
  Tensor answer_loss(const Tensor& image, const EyeSequence& sequence) const;
  /// Gradients of the piece in the order of parameters().values(), then its three losses.
  std::vector<Tensor> piece_gradients(const Piece& piece, Stage stage, double pieces, double weight) const;
  void label_by_words();
  void measure_words();
  void scale_projector();

  EyeTrainConfig config_;
  at::Device device_;
  Parameters parameters_;
  std::optional<EyeModel> eye_;
  Tensor label_directions_;  ///< [kPatchClasses, D], unit rows
  double word_size_ = 1;     ///< RMS of the word embeddings
  std::optional<TowerLosses> tower_losses_;
  std::optional<EyeData> data_;
};

}  // namespace hijack
