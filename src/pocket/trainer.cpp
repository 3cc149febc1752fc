#include "src/pocket/trainer.h"

#include <ATen/autocast_mode.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/pocket/bpe_trainer.h"

namespace hijack {
namespace {

constexpr double kBackgroundWeight = 0.2;  // of patch labels, else their loss stalls
constexpr double kChannelNoise = 0.3;      // on the reconstruction's input, in units of its RMS
constexpr double kLabelWeight = 0.15;      // in stage 2
constexpr int64_t kWarmup = 100;
constexpr double kDecayShare = 0.3;
constexpr double kClip = 1.0;

/// bf16 autocast where the device is fast at it.
class Autocast {
 public:
  explicit Autocast(at::Device device) : on_(device.is_cuda()) {
    if (!on_) return;
    at::autocast::set_autocast_enabled(at::kCUDA, true);
    at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
    at::autocast::increment_nesting();
  }
  ~Autocast() {
    if (!on_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(at::kCUDA, false);
  }

 private:
  bool on_;
};

/// A resumed run keeps its tokenizer even when the grammar it was trained on has changed since.
std::string tokenizer_of(const TrainConfig& config) {
  const auto file = std::filesystem::path(config.out) / "tokenizer.json";
  if (config.resume && std::filesystem::exists(file)) return read_file(file);
  std::error_code failed;
  std::filesystem::create_directories(config.out, failed);
  if (failed) throw Error("cannot create " + config.out + ": " + failed.message());
  const std::string json = train_pocket_tokenizer(config.seed);
  write_file(file, json);
  return json;
}

int worker_count(int64_t asked) {
  if (asked > 0) return static_cast<int>(asked);
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()) - 1);
}

}  // namespace

PocketTrainer::PocketTrainer(const TrainConfig& config)
    : config_(config),
      device_(config.device),
      parameters_(config.seed, device_),
      tokenizer_json_(tokenizer_of(config)),
      tokenizer_(Tokenizer::from_json(tokenizer_json_, "the pocket tokenizer")),
      whitening_(config.seed + 1, 2000, device_),
      generator_(at::globalContext().defaultGenerator(device_).clone()) {
  const LlavaConfig shape = pocket_config();
  if (tokenizer_->vocabulary_size() != shape.text.vocabulary)
    throw Error(config.out + "/tokenizer.json has " + std::to_string(tokenizer_->vocabulary_size()) +
                " tokens, this version trains " + std::to_string(shape.text.vocabulary) +
                "; start anew in another folder");
  network_.emplace(shape, parameters_.source(std::max(shape.text.layers, shape.vision.layers)));
  const ParameterSource heads = parameters_.source(1);
  label_head_ = Linear(heads, "training.label_head", shape.text.width, kPatchClasses, true);
  reconstruction_head_ =
      Linear(heads, "training.reconstruction_head", shape.text.width, Whitening::kCoefficients, true);
  initialize_filters();
  if (config.resume) load_checkpoint();
}

// About half of the patch filters start as random combinations of the whitened coefficients: the mean term is
// 30 times the rest, and ordinary filters would see little else.
void PocketTrainer::initialize_filters() {
  const at::NoGradGuard no_gradients;
  Random random = Random(config_.seed).fork("filters");
  Tensor& filters = parameters_.at("vision_tower.embeddings.patch_embedding.weight");
  const int64_t half = filters.size(0) / 2;
  // the network sees (image - mean) / std
  filters.narrow(0, 0, half).copy_(whitening_.random_filters(half, random) * pocket_std(device_));
}

Tensor PocketTrainer::weak_texture(const Tensor& images) {
  const auto options = images.options();
  const int64_t n = images.size(0);
  const Tensor strength = at::rand({n, 1, 1, 1}, generator_, options) * (12.0 / 255) *
                          (at::rand({n, 1, 1, 1}, generator_, options) < 0.5);
  const Tensor fine = at::randn(images.sizes(), generator_, options);
  const Tensor coarse =
      at::upsample_nearest2d(at::randn({n, 3, 28, 28}, generator_, options), {kSceneSide, kSceneSide});
  return (images + strength * (0.7 * fine + 0.7 * coarse)).clamp(0, 1);
}

PocketTrainer::Losses PocketTrainer::vision_losses(const Tensor& features, const PocketBatch& batch,
                                                   const Tensor& wanted) {
  Losses losses;
  Tensor weight = at::ones({kPatchClasses}, wanted.options());
  weight[0] = kBackgroundWeight;
  losses.label = at::cross_entropy_loss(label_head_(features).to(at::kFloat).flatten(0, 1),
                                        batch.patch_labels.flatten(), weight);
  const Tensor wide = features.to(at::kFloat);
  const Tensor unit = wide * at::rsqrt(wide.square().mean(-1, true) + 1e-6);
  const Tensor noise = at::randn(unit.sizes(), generator_, unit.options().requires_grad(false));
  const Tensor got = reconstruction_head_(unit + kChannelNoise * noise).to(at::kFloat);
  losses.reconstruction = (got - wanted).square().mean() / wanted.square().mean();
  return losses;
}

Tensor PocketTrainer::answer_loss(const PocketBatch& batch, const Tensor& features) {
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
  const Tensor hidden = decoder.forward(x, batch.positions, plan).flatten(0, 1);
  const Tensor logits = decoder.logits(hidden.index_select(0, batch.loss_from));
  const Tensor each = at::cross_entropy_loss(logits, batch.loss_ids, {}, at::Reduction::None);
  return (each * batch.loss_weights).sum() / batch.loss_weights.sum();
}

PocketTrainer::Losses PocketTrainer::losses(const PocketBatch& batch, bool joint) {
  const Tensor images = weak_texture(batch.images.to(at::kFloat) / 255);
  const Tensor wanted = whitening_.coefficients(images);  // in float32: small terms beside a large mean
  const Autocast autocast(device_);
  const Tensor features = network_->image_features((images - pocket_mean(device_)) / pocket_std(device_));
  Losses losses = vision_losses(features, batch, wanted);
  losses.answer = joint ? answer_loss(batch, features) : at::zeros({}, images.options());
  losses.total = losses.answer + losses.reconstruction + (joint ? kLabelWeight : 1.0) * losses.label;
  return losses;
}

double PocketTrainer::rate_at(bool joint, int64_t step, const std::string& name) const {
  const int64_t steps = joint ? config_.joint_steps : config_.vision_steps;
  const double warm = std::min(1.0, static_cast<double>(step + 1) / kWarmup);
  // constant, then linear to zero: a run can be made longer from any checkpoint before the decay
  const double left = static_cast<double>(steps - step) / static_cast<double>(std::max<int64_t>(steps, 1));
  double rate = (joint ? config_.joint_rate : config_.vision_rate) * warm * std::min(1.0, left / kDecayShare);
  if (joint && name.starts_with("vision_tower")) rate *= config_.tower_share;
  return rate;
}

PocketTrainer::Losses PocketTrainer::take_step(const PocketBatch& batch, bool joint, int64_t step,
                                               uint64_t seed) {
  generator_.set_current_seed(Random(seed).fork("noise", static_cast<uint64_t>(step)).bits());
  Losses now = losses(batch, joint);
  parameters_.zero_gradients();
  now.total.backward();
  parameters_.clip_gradients(kClip);
  parameters_.step([&](const std::string& name) { return rate_at(joint, step, name); }, config_.weight_decay);
  return now;
}

bool PocketTrainer::run_stage(const std::string& stage, const std::function<void(const TrainProgress&)>& tell,
                              std::stop_token stop) {
  const bool joint = stage == "joint";
  const int64_t steps = joint ? config_.joint_steps : config_.vision_steps;
  int64_t step = resumed_stage_ == stage ? resumed_step_ : 0;
  const BatchShape shape{.sequences = config_.batch, .tokens = config_.sequence_tokens};
  const uint64_t seed = config_.seed + (joint ? 1000 : 500);
  BatchStream stream(
      [=, this](uint64_t index) {
        return joint ? make_batch(*tokenizer_, shape, seed, index)
                     : make_vision_batch(2 * shape.sequences, seed, index);
      },
      static_cast<uint64_t>(step), worker_count(config_.workers));
  const auto start = std::chrono::steady_clock::now();
  const int64_t first = step;
  for (; step < steps && !stop.stop_requested(); ++step) {
    const Losses now = take_step(stream.next().to(device_), joint, step, seed);
    if ((step + 1) % config_.checkpoint_every == 0) save_checkpoint(stage, step + 1);
    if (step % 20 != 0 && step + 1 != steps) continue;
    if (!std::isfinite(now.total.item<double>()))
      throw Failure("training diverged at step " + std::to_string(step) + ": the loss is not finite");
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double rate = static_cast<double>((step + 1 - first) * config_.batch) / seconds;
    const TrainProgress progress{stage,
                                 step + 1,
                                 steps,
                                 now.answer.item<double>(),
                                 now.label.item<double>(),
                                 now.reconstruction.item<double>(),
                                 rate_at(joint, step, "decoder"),
                                 rate,
                                 seconds};
    log(progress);
    tell(progress);
  }
  save_checkpoint(stage, step);
  return step >= steps;
}

bool PocketTrainer::run(const std::function<void(const TrainProgress&)>& tell, std::stop_token stop) {
  if (resumed_stage_ != "joint") {
    if (!run_stage("vision", tell, stop)) return false;
    parameters_.reset_moments();
  }
  if (!run_stage("joint", tell, stop)) return false;
  TensorMap weights;
  for (const auto& [name, value] : parameters_.values())
    if (!name.starts_with("training.")) weights[name] = value;
  write_pocket_folder(weights, tokenizer_json_, config_.out);
  return true;
}

void PocketTrainer::log(const TrainProgress& p) const {
  std::ofstream file(std::filesystem::path(config_.out) / "training_log.jsonl", std::ios::app);
  const auto round = [](double x) { return std::round(x * 1e5) / 1e5; };
  file << nlohmann::json{{"stage", p.stage},
                         {"step", p.step},
                         {"answer_loss", round(p.answer_loss)},
                         {"label_loss", round(p.label_loss)},
                         {"reconstruction_loss", round(p.reconstruction_loss)},
                         {"rate", p.rate},
                         {"sequences_per_second", std::round(p.sequences_per_second)},
                         {"seconds", std::round(p.seconds * 10) / 10}}
              .dump()
       << "\n";
}

// The place in the schedule travels as a tensor beside the parameters: [stage, step, seed].
void PocketTrainer::save_checkpoint(const std::string& stage, int64_t step) const {
  TensorMap state = parameters_.state();
  state["progress"] =
      at::tensor({int64_t{stage == "joint"}, step, static_cast<int64_t>(config_.seed)}, at::kLong);
  save_safetensors(state, std::filesystem::path(config_.out) / "checkpoint.safetensors");
}

void PocketTrainer::load_checkpoint() {
  const auto file = std::filesystem::path(config_.out) / "checkpoint.safetensors";
  if (!std::filesystem::exists(file))
    throw Error("--resume: " + file.string() + " does not exist; start without --resume");
  const TensorMap state = load_safetensors(file);
  const auto progress = state.find("progress");
  if (progress == state.end() || progress->second.numel() != 3 || progress->second.scalar_type() != at::kLong)
    throw Error(file.string() + " is not a training checkpoint; start without --resume");
  const auto* values = progress->second.const_data_ptr<int64_t>();
  if (values[2] != static_cast<int64_t>(config_.seed))
    throw Error(file.string() + " was made with seed " + std::to_string(values[2]) + "; pass that seed");
  parameters_.restore(state, file.string());
  resumed_stage_ = values[0] == 1 ? "joint" : "vision";
  resumed_step_ = values[1];
}

}  // namespace hijack
