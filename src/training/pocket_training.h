#pragma once
#include <optional>

#include "src/training/packed_batch.h"
#include "src/training/pocket_model.h"
#include "src/training/tower_losses.h"
#include "src/training/trainer.h"

namespace hijack {

struct PocketTrainConfig : TrainConfig {
  int64_t sequence_tokens = 240;
  int64_t workers = 0;
  PocketTrainConfig() { out = "runs/pocket"; }

  template <class Visitor>
  void visit(Visitor&& field) {
    TrainConfig::visit(field);
    field("sequence_tokens", sequence_tokens, "length of a packed sequence");
    field("workers", workers, "threads that make data; 0 = all cores but one");
  }
};

/// The pocket model from nothing (recipe: samples/pocket/README.md): tower, projector and decoder.
class PocketTraining : public Training {
 public:
  explicit PocketTraining(const PocketTrainConfig& config);
  Parameters& parameters() override { return parameters_; }
  void begin(Stage stage, int64_t step) override;
  StepLosses gradients(Stage stage, int64_t step) override;
  void finish() override;

 private:
  Tensor answer_loss(const PackedBatch& batch, const Tensor& features) const;
  void initialize_filters();
  uint64_t stage_seed(Stage stage) const;

  PocketTrainConfig config_;
  at::Device device_;
  Parameters parameters_;
  std::string tokenizer_json_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::optional<LlavaNetwork> network_;
  Linear label_head_;
  std::optional<TowerLosses> tower_losses_;
  std::optional<BatchStream> stream_;
  at::Generator generator_;
};

}  // namespace hijack
