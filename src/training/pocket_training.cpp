#include "src/training/pocket_training.h"

#include <thread>

#include "models/autocast.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/pocket/bpe_trainer.h"

namespace hijack {
namespace {

constexpr double kLabelWeight = 0.15;  // in stage 2
constexpr int64_t kStatistics = 2000;

/// A resumed run keeps its tokenizer even when the grammar it was trained on has changed since.
std::string tokenizer_of(const TrainConfig& config) {
  const auto file = std::filesystem::path(config.out) / "tokenizer.json";
  if (config.resume && std::filesystem::exists(file)) return read_file(file);
  create_model_folder(config.out);
  const std::string json = train_pocket_tokenizer(config.seed);
  write_file(file, json);
  return json;
}

int worker_count(int64_t asked) {
  if (asked > 0) return static_cast<int>(asked);
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()) - 1);
}

}  // namespace

PocketTraining::PocketTraining(const PocketTrainConfig& config)
    : config_(config),
      device_(config.device),
      parameters_(checked(config).seed, device_),
      tokenizer_json_(tokenizer_of(config)),
      tokenizer_(Tokenizer::from_json(tokenizer_json_, "the pocket tokenizer")),
      generator_(at::globalContext().defaultGenerator(device_).clone()) {
  const LlavaConfig shape = pocket_config();
  if (tokenizer_->vocabulary_size() != shape.text.vocabulary)
    throw Error(config.out + "/tokenizer.json has " + std::to_string(tokenizer_->vocabulary_size()) +
                " tokens, this version trains " + std::to_string(shape.text.vocabulary) +
                "; start anew in another folder");
  network_.emplace(shape, parameters_.source(std::max(shape.text.layers, shape.vision.layers)));
  label_head_ = Linear(parameters_.source(1), "training.label_head", shape.text.width, kPatchClasses, true);
  tower_losses_.emplace(parameters_, shape.text.width, config.seed, kStatistics, device_,
                        [this](const Tensor& features) { return label_head_(features); });
  initialize_filters();
}

// About half of the patch filters start as random combinations of the whitened coefficients: the mean term is
// 30 times the rest, and ordinary filters would see little else.
void PocketTraining::initialize_filters() {
  const at::NoGradGuard no_gradients;
  Random random = Random(config_.seed).fork("filters");
  Tensor& filters = parameters_.at("vision_tower.embeddings.patch_embedding.weight");
  const int64_t half = filters.size(0) / 2;
  // the network sees (image - mean) / std
  filters.narrow(0, 0, half)
      .copy_(tower_losses_->whitening().random_filters(half, random) * pocket_std(device_));
}

uint64_t PocketTraining::stage_seed(Stage stage) const {
  return config_.seed + (stage == Stage::kJoint ? 1000 : 500);
}

void PocketTraining::begin(Stage stage, int64_t step) {
  const BatchShape shape{.sequences = config_.batch, .tokens = config_.sequence_tokens};
  const uint64_t seed = stage_seed(stage);
  stream_.emplace(
      [=, this](uint64_t index) {
        return stage == Stage::kJoint ? make_batch(*tokenizer_, shape, seed, index)
                                      : make_vision_batch(2 * shape.sequences, seed, index);
      },
      static_cast<uint64_t>(step), worker_count(config_.workers));
}

Tensor PocketTraining::answer_loss(const PackedBatch& batch, const Tensor& features) const {
  const auto& decoder = *network_->decoder;
  Tensor x = decoder.embed(batch.ids);  // [N,L,D]
  const int64_t with = features.size(0), begin = batch.image_begin, end = begin + features.size(1);
  const Tensor head = x.narrow(0, 0, with);
  const Tensor seen = at::cat(
      {head.narrow(1, 0, begin), features.to(x.scalar_type()), head.narrow(1, end, head.size(1) - end)}, 1);
  x = at::cat({seen, x.narrow(0, with, x.size(0) - with)}, 0);
  const Tensor from = batch.segments.unsqueeze(2), to = batch.segments.unsqueeze(1);
  const Tensor causal = at::ones({x.size(1), x.size(1)}, batch.ids.options().dtype(at::kBool)).tril();
  MaskedPlan plan(((from == to) | (to == 0)).logical_and(causal).unsqueeze(1));
  const Tensor hidden = decoder.forward({x, batch.positions}, plan).flatten(0, 1);
  const Tensor logits = decoder.logits(hidden.index_select(0, batch.loss_from));
  const Tensor each = at::cross_entropy_loss(logits, batch.loss_ids, {}, at::Reduction::None);
  return (each * batch.loss_weights).sum() / batch.loss_weights.sum();
}

StepLosses PocketTraining::gradients(Stage stage, int64_t step) {
  const bool joint = stage == Stage::kJoint;
  const PackedBatch batch = stream_->next().to(device_);
  // the noise of augmentation depends on the seed and the step
  generator_.set_current_seed(Random(stage_seed(stage)).fork("noise", static_cast<uint64_t>(step)).bits());
  const Tensor images = weak_texture(batch.images.to(at::kFloat) / 255, generator_);
  const Tensor wanted = tower_losses_->whitening().coefficients(images);  // float32: small beside the mean
  TowerLosses::Losses tower;
  Tensor answer = at::zeros({}, images.options());
  {
    const Autocast autocast(device_, /*on=*/device_.is_cuda());  // fast there
    const Tensor features = network_->image_features((images - pocket_mean(device_)) / pocket_std(device_));
    tower = (*tower_losses_)(wanted, features, batch.patch_labels, generator_);
    if (joint) answer = answer_loss(batch, features);
  }
  parameters_.zero_gradients();
  (answer + tower.reconstruction + (joint ? kLabelWeight : 1.0) * tower.label).backward();
  return {answer.detach(), tower.label.detach(), tower.reconstruction.detach()};
}

void PocketTraining::finish() {
  write_pocket_folder(parameters_.model_values(), tokenizer_json_, config_.out);
}

}  // namespace hijack
