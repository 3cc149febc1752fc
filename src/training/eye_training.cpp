#include "src/training/eye_training.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <thread>

#include "src/base/error.h"
#include "src/training/chat_prompts.h"
#include "src/training/eye_folder.h"
#include "src/training/own_replies.h"
#include "src/training/packed_batch.h"
#include "src/training/pocket_model.h"

namespace hijack {
namespace {

constexpr double kWordLabelWeight = 0.15;      // in stage 2
constexpr double kReconstructionWeight = 0.5;  // in stage 2
constexpr double kLabelSharpness = 20;         // cosine -> logit
constexpr double kScaleWeight = 0.1;           // keeps features as large as word embeddings
constexpr int64_t kVisionPieces = 4;
constexpr int64_t kWhiteningImages = 400;
constexpr int64_t kVisionImages = 8;  // a piece

/// Sums in the order of the pieces: the result does not depend on which thread was first.
std::vector<Tensor> summed(std::vector<std::vector<Tensor>>& parts) {
  std::vector<Tensor> total = std::move(parts.front());
  for (size_t p = 1; p < parts.size(); ++p)
    for (size_t i = 0; i < total.size(); ++i) {
      if (!parts[p][i].defined()) continue;
      total[i] = total[i].defined() ? total[i] + parts[p][i] : parts[p][i];
    }
  return total;
}

int64_t thread_count(int64_t asked) {
  return asked > 0 ? asked : std::max<int64_t>(1, std::thread::hardware_concurrency());
}

/// Runs work(0) .. work(n-1) on so many threads, each with one thread of its own for its tensors.
void on_threads(int64_t threads, size_t n, const std::function<void(size_t)>& work) {
  std::vector<std::exception_ptr> failed(n);
  std::vector<std::jthread> crew;
  for (int64_t t = 0; t < std::min<int64_t>(threads, static_cast<int64_t>(n)); ++t)
    crew.emplace_back([&, t] {
      at::set_num_threads(1);
      for (auto i = static_cast<size_t>(t); i < n; i += static_cast<size_t>(threads)) try {
          work(i);
        } catch (...) {
          failed[i] = std::current_exception();
        }
    });
  crew.clear();  // joins
  for (const auto& failure : failed)
    if (failure) std::rethrow_exception(failure);
}

void check_eye(const EyeTrainConfig& config) {
  if (config.chat_prompts < 1) throw Error("--chat-prompts must be 1 or more");
  if (config.reply_tokens < 1 || config.reply_tokens > 512)
    throw Error("--reply-tokens must be from 1 to 512");
  if (config.threads < 0) throw Error("--threads must be 0 or more");
}

}  // namespace

EyeTraining::EyeTraining(const EyeTrainConfig& config)
    : config_(config), device_(config.device), parameters_(checked(config).seed, device_) {
  check_eye(config);
  // what may be missing is read before anything is written
  const auto photos = config.photos.empty() ? std::vector<Tensor>() : load_photos(config.photos);
  const TensorMap start = config.start.empty() ? TensorMap() : read_eye(config.start);
  prepare_eye_folder(config.decoder, config.image_token, config.out);
  eye_.emplace(config.decoder, config.out, parameters_, device_);
  const bool whole = !start.empty() && start_from(parameters_, start, config.start);
  label_by_words();
  measure_words();
  if (!whole) scale_projector();
  tower_losses_.emplace(parameters_, eye_->network->decoder->config().width, config.seed, kWhiteningImages,
                        device_, [this](const Tensor& features) {
                          const Tensor unit = features / (features.norm(2, -1, true) + 1e-6);
                          return kLabelSharpness * unit.matmul(label_directions_.t());
                        });
  const auto prompts = config.prompts.empty()
                           ? chat_prompts(ChatSplit::kTrain, config.chat_prompts, config.seed)
                           : read_prompts(config.prompts);
  data_.emplace(photos,
                kept_own_replies(*eye_, prompts, config.reply_tokens,
                                 std::filesystem::path(config.out) / "own_replies.json"),
                eye_->model->end_of_reply(), eye_->model->tokenizer());
}

/// The direction of a label is the mean of its words' embeddings: what the decoder would read, had the patch
/// been described to it.
void EyeTraining::label_by_words() {
  const at::NoGradGuard no_gradients;
  const auto& tokenizer = eye_->model->tokenizer();
  const auto direction = [&](const std::vector<std::string>& words) {
    std::vector<Tensor> parts;
    for (const auto& word : words) {
      const TokenIds ids = tokenizer.encode(" " + word, false);
      parts.push_back(
          eye_->network->decoder->embed(at::tensor(ids, at::kLong).to(device_)).to(at::kFloat).mean(0));
    }
    return at::stack(parts).mean(0);
  };
  std::vector<Tensor> rows(static_cast<size_t>(kPatchClasses));
  rows[0] = direction({"empty"});
  for (size_t shape = 0; shape < kShapes.size(); ++shape)
    for (size_t color = 0; color < kColors.size(); ++color)
      rows[1 + shape * kColors.size() + color] =
          direction({std::string(kColors[color]), std::string(kShapes[shape])});
  for (size_t word = 0; word < kSceneWords.size(); ++word)
    for (size_t letter = 0; letter < kSceneWords[word].size(); ++letter)
      rows[static_cast<size_t>(letter_class(word, letter))] =
          direction({std::string(kSceneWords[word]), std::string(1, kSceneWords[word][letter])});
  const Tensor all = at::stack(rows);
  label_directions_ = all / all.norm(2, -1, true);
}

void EyeTraining::measure_words() {
  const at::NoGradGuard no_gradients;
  const auto& decoder = *eye_->network->decoder;
  const Tensor all =
      decoder.embed(at::arange(decoder.config().vocabulary, at::TensorOptions(at::kLong).device(device_)));
  word_size_ = all.to(at::kFloat).square().mean().sqrt().item<double>();
}

/// A fresh projector starts with features as large as word embeddings.
void EyeTraining::scale_projector() {
  const at::NoGradGuard no_gradients;
  const Tensor images = make_vision_batch(16, config_.seed, 0).images.to(device_).to(at::kFloat) / 255;
  const Tensor features = eye_->network->image_features(normalized(images));
  parameters_.at("multi_modal_projector.linear_2.weight")
      .mul_(word_size_ / features.square().mean().sqrt().item<double>());
}

std::vector<EyeTraining::Piece> EyeTraining::pieces(Stage stage, int64_t step) const {
  std::vector<Piece> pieces;
  const bool joint = stage == Stage::kJoint;
  const int64_t count = joint ? config_.batch : kVisionPieces, each = joint ? 1 : kVisionImages;
  const uint64_t seed = config_.seed + (joint ? 1000 : 500);
  for (int64_t p = 0; p < count; ++p) {
    const auto place = static_cast<uint64_t>(step * count + p);
    Piece piece{.noise_seed = Random(seed).fork("noise", place).bits()};
    if (joint) {
      piece.sequence = data_->draw(seed, place);
      piece.images = piece.sequence.image.unsqueeze(0);
      piece.patch_labels = piece.sequence.patch_labels.unsqueeze(0);
    } else {
      const PackedBatch batch = make_vision_batch(each, seed, place);
      piece.images = batch.images;
      piece.patch_labels = batch.patch_labels;
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

Tensor EyeTraining::normalized(const Tensor& images) const {
  return (images - pocket_mean(device_)) / pocket_std(device_);
}

/// Sum over the tokens of all answers, each with its weight.
Tensor EyeTraining::answer_loss(const Tensor& image, const EyeSequence& sequence) const {
  const Pixels pixels{normalized(image), kSceneSide, kSceneSide};
  const auto logits = eye_->model->target_logits(pixels, sequence.queries, sequence.targets);
  Tensor total = at::zeros({}, image.options());
  for (size_t i = 0; i < logits.size(); ++i) {
    const Tensor wanted = at::tensor(sequence.targets[i], at::kLong).to(device_);
    total = total + sequence.weights[i] * at::cross_entropy_loss(logits[i], wanted, {}, at::Reduction::Sum);
  }
  return total;
}

std::vector<Tensor> EyeTraining::piece_gradients(const Piece& piece, Stage stage, double pieces,
                                                 double weight) const {
  const bool joint = stage == Stage::kJoint;
  at::Generator generator = at::globalContext().defaultGenerator(device_).clone();
  generator.set_current_seed(piece.noise_seed);
  const Tensor images = weak_texture(piece.images.to(device_).to(at::kFloat) / 255, generator);
  const Tensor features = eye_->network->image_features(normalized(images));
  const TowerLosses::Losses tower = (*tower_losses_)(tower_losses_->whitening().coefficients(images),
                                                     features, piece.patch_labels.to(device_), generator);
  const Tensor scale = (features.to(at::kFloat).square().mean().sqrt() / word_size_).log().square();
  const Tensor answer =
      joint ? answer_loss(images, piece.sequence) / weight : at::zeros({}, images.options());
  const Tensor loss = answer + ((joint ? kReconstructionWeight : 1.0) * tower.reconstruction +
                                (joint ? kWordLabelWeight : 1.0) * tower.label + kScaleWeight * scale) /
                                   pieces;
  std::vector<Tensor> leaves;
  for (const auto& [name, value] : parameters_.values()) leaves.push_back(value);
  std::vector<Tensor> results = torch::autograd::grad({loss}, leaves, {}, /*retain_graph=*/{},
                                                      /*create_graph=*/false, /*allow_unused=*/true);
  results.push_back(answer.detach());
  results.push_back(tower.label.detach() / pieces);
  results.push_back(tower.reconstruction.detach() / pieces);
  return results;
}

StepLosses EyeTraining::gradients(Stage stage, int64_t step) {
  const std::vector<Piece> pieces = this->pieces(stage, step);
  double weight = 0;  // of all answers' tokens in the step
  for (const Piece& piece : pieces) weight += piece.sequence.weight();
  std::vector<std::vector<Tensor>> parts(pieces.size());
  on_threads(thread_count(config_.threads), pieces.size(), [&](size_t i) {
    parts[i] = piece_gradients(pieces[i], stage, static_cast<double>(pieces.size()), weight);
  });
  const std::vector<Tensor> total = summed(parts);
  parameters_.set_gradients({total.begin(), total.end() - 3});
  return {total.end()[-3], total.end()[-2], total.end()[-1]};
}

void assemble_eye(const EyeTrainConfig& config) {
  const TensorMap stored = read_eye(config.start);
  prepare_eye_folder(config.decoder, config.image_token, config.out);
  Parameters parameters(config.seed, at::kCPU);
  const EyeModel eye(config.decoder, config.out, parameters, at::kCPU);
  if (!start_from(parameters, stored, config.start))
    throw Error(config.start + " holds no projector for this decoder; train one: hijack train eye --start");
  write_eye_weights(parameters.model_values(), config.decoder, config.out);
}

void EyeTraining::finish() {
  write_eye(parameters_.model_values(), std::filesystem::path(config_.out) / "eye.safetensors");
  write_eye_weights(parameters_.model_values(), config_.decoder, config_.out);
}

}  // namespace hijack
