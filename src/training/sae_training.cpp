#include "src/training/sae_training.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors.h"
#include "models/checkpoint/safetensors_metadata.h"
#include "src/base/error.h"
#include "src/base/fields.h"
#include "src/base/file.h"
#include "src/base/nearest.h"
#include "src/base/random.h"

namespace hijack {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kTiny = 1e-8;
constexpr int64_t kMeasuredAtOnce = 1024;
constexpr double kKeptShare = 0.01;  // of a batch in the running mean of batchtopk (SAELens)

void check_numbers(const SaeTrainConfig& config) {
  const auto least = [](const char* flag, double value, double low, double high) {
    if (!(value >= low && value <= high))
      throw Error(std::string(flag) + " must be from " + nlohmann::json(low).dump() + " to " +
                  nlohmann::json(high).dump() + ".");
  };
  least("--expansion", static_cast<double>(config.expansion), 1, 256);
  least("--k", static_cast<double>(config.k), 1, 1e6);
  least("--l1", config.l1, 0, 1e6);
  least("--l0", config.l0, 0, 1e6);
  least("--bandwidth", config.bandwidth, 1e-6, 1e3);
  least("--threshold", config.threshold, 1e-6, 1e3);
  least("--steps", static_cast<double>(config.steps), 1, 1e9);
  least("--batch", static_cast<double>(config.batch), 1, 1e6);
  least("--rate", config.rate, 1e-9, 1);
  least("--dead-after", static_cast<double>(config.dead_after), 1, 1e9);
  least("--checkpoint-every", static_cast<double>(config.checkpoint_every), 1, 1e9);
}

Tensor leaf(const Tensor& value) {
  return value.contiguous().detach().requires_grad_(true);
}

std::unique_ptr<SaeStates> checked_states(const SaeTrainConfig& config) {
  if (config.activations.empty())
    throw Error(
        "hijack train sae needs --activations, files that 'hijack activations' wrote, or --model with "
        "--image.");
  SaeTraining::check(config);
  return stored_states(config.activations, config.seed);
}

}  // namespace

nlohmann::json to_json(const SaeMeasures& measures) {
  return {{"tokens", measures.tokens},
          {"l0", measures.l0},
          {"explained_variance", measures.explained_variance},
          {"dead_share", measures.dead_share}};
}

void SaeTraining::check(const SaeTrainConfig& config) {
  if (config.out.empty()) throw Error("--out needs the name of a folder.");
  const std::vector<std::string> known = sae_architecture_names();
  if (std::find(known.begin(), known.end(), config.architecture) == known.end())
    throw Error(unknown_name("architecture", config.architecture, known));
  check_numbers(config);
  const std::filesystem::path out = config.out;
  if (!config.resume &&
      (std::filesystem::exists(out / "checkpoint.safetensors") || std::filesystem::exists(out / "cfg.json")))
    throw Error("'" + config.out +
                "' holds a training already: go on with --resume, or choose another --out.");
}

SaeTraining::SaeTraining(const SaeTrainConfig& config) : SaeTraining(config, checked_states(config)) {}

SaeTraining::SaeTraining(const SaeTrainConfig& config, std::unique_ptr<SaeStates> states)
    : config_(config), states_(std::move(states)) {
  check(config_);
  const int64_t latents = config_.expansion * states_->source().width;
  if (config_.architecture.ends_with("topk") && config_.k > latents)
    throw Error("--k " + std::to_string(config_.k) + " is more than the " + std::to_string(latents) +
                " latents.");
  initialize();
}

void SaeTraining::initialize() {
  const int64_t width = states_->source().width, latents = config_.expansion * width;
  const Tensor seen = states_->first();
  scale_ = std::sqrt(static_cast<double>(width)) / std::max(seen.norm(2, 1).mean().item<double>(), kTiny);
  Random random = Random(config_.seed).fork("sparse autoencoder");
  const Tensor rows = random.normal_tensor({latents, width});
  const Tensor unit = rows / rows.norm(2, 1, /*keepdim=*/true);
  const bool jump = config_.architecture == "jumprelu";
  // what must choose its latents by itself begins small
  const Tensor decoder = config_.architecture == "standard" ? unit * 0.1 : unit;
  const Tensor encoder = jump ? unit / static_cast<double>(config_.expansion) : decoder;
  leaves_ = {leaf(encoder.t()), leaf(at::zeros({latents})), leaf(decoder), leaf(seen.mean(0) * scale_)};
  if (jump) leaves_.threshold = leaf(at::full({latents}, config_.threshold));
  for (const Tensor& one : leaves_.all()) {
    first_.push_back(at::zeros_like(one).detach());
    second_.push_back(at::zeros_like(one).detach());
  }
  quiet_ = at::zeros({latents});
}

double SaeTraining::rate_at(int64_t step) const {
  const auto all = static_cast<double>(config_.steps), at = static_cast<double>(step);
  const double warm = std::max(all / 20, 1.0), decay = std::max(all / 5, 1.0);
  return config_.rate * std::min({1.0, (at + 1) / warm, (all - at) / decay});
}

double SaeTraining::take_step(int64_t step) {
  const double warm = config_.architecture == "jumprelu" ? static_cast<double>(config_.steps) / 10 : 1;
  const SaeLoss found = sae_loss(config_, leaves_, states_->batch(step, config_.batch) * scale_, quiet_,
                                 std::min(1.0, (static_cast<double>(step) + 1) / std::max(warm, 1.0)));
  if (config_.architecture == "batchtopk")
    kept_ = step == 0 ? found.smallest_kept : kept_ + kKeptShare * (found.smallest_kept - kept_);
  const Tensor& value = found.loss;
  const std::vector<Tensor> leaves = leaves_.all();
  const auto gradients = torch::autograd::grad({value}, leaves);
  const at::NoGradGuard no_gradients;
  const double t = static_cast<double>(step) + 1, rate = rate_at(step);
  for (size_t i = 0; i < leaves.size(); ++i) {
    first_[i].mul_(kBeta1).add_(gradients[i], 1 - kBeta1);
    second_[i].mul_(kBeta2).addcmul_(gradients[i], gradients[i], 1 - kBeta2);
    const Tensor size = (second_[i] / (1 - std::pow(kBeta2, t))).sqrt_().add_(kTiny);
    Tensor target = leaves[i];
    target.addcdiv_(first_[i], size, -rate / (1 - std::pow(kBeta1, t)));
  }
  // without a price on their size, latents have no other scale
  if (config_.architecture != "standard")
    leaves_.decoder.div_(leaves_.decoder.norm(2, 1, true).clamp_min(kTiny));
  // below 0 the gate would let negative values through
  if (leaves_.threshold.defined()) leaves_.threshold.clamp_(0);
  return value.item<double>();
}

bool SaeTraining::run(const std::function<void(const SaeProgress&)>& tell, std::stop_token stop) {
  int64_t step = config_.resume ? load_checkpoint() : 0;
  std::error_code ignored;
  std::filesystem::create_directories(config_.out, ignored);
  for (; step < config_.steps; ++step) {
    const double now = take_step(step);
    if (!std::isfinite(now))
      throw NotFinite("the loss of the sparse autoencoder is not finite at step " + std::to_string(step + 1));
    tell({.step = step + 1, .steps = config_.steps, .loss = now});
    const bool stopped = stop.stop_requested();
    if (stopped || (step + 1) % config_.checkpoint_every == 0) save_checkpoint(step + 1);
    if (stopped) return false;
  }
  folded().write(config_.out);
  std::filesystem::remove(std::filesystem::path(config_.out) / "checkpoint.safetensors", ignored);
  return true;
}

SparseAutoencoder SaeTraining::folded() const {
  SparseAutoencoder sae{.architecture = config_.architecture};
  sae.encoder = leaves_.encoder.detach() * scale_;
  sae.encoder_bias = leaves_.encoder_bias.detach();
  sae.decoder = leaves_.decoder.detach() / scale_;
  sae.decoder_bias = leaves_.decoder_bias.detach() / scale_;
  sae.k = config_.architecture == "topk" ? config_.k : 0;
  if (leaves_.threshold.defined()) sae.threshold = leaves_.threshold.detach().clone();
  if (config_.architecture == "batchtopk") {
    sae.architecture = "jumprelu";  // as which SAELens saves it, too
    sae.threshold = at::full({sae.latents()}, kept_, at::kFloat);
  }
  const ActivationSource& source = states_->source();
  sae.model_name = source.model;
  sae.model_sha256 = source.model_sha256;
  sae.hook_name = lens_hook_name(source.hook);
  sae.tokens = token_choice_name(source.tokens);
  return sae;
}

SaeMeasures SaeTraining::measure() const {
  const at::NoGradGuard no_gradients;
  const SparseAutoencoder sae = folded();
  const Tensor held_out = states_->held_out();
  SaeMeasures measures{.tokens = held_out.size(0)};
  Tensor active = at::zeros({sae.latents()}, at::kBool);
  std::vector<Tensor> reconstructed;
  double count = 0;
  for (const Tensor& set : {held_out, states_->first()})
    for (const Tensor& part : set.split(kMeasuredAtOnce)) {
      const Tensor latents = sae.encode(part);
      active.logical_or_((latents > 0).any(0));
      if (!set.is_same(held_out)) continue;
      count += static_cast<double>((latents > 0).sum().item<int64_t>());
      reconstructed.push_back(sae.decode(latents));
    }
  measures.l0 = count / static_cast<double>(std::max<int64_t>(held_out.size(0), 1));
  measures.explained_variance = hijack::explained_variance(held_out, at::cat(reconstructed));
  measures.dead_share = 1 - active.to(at::kDouble).mean().item<double>();
  return measures;
}

std::string SaeTraining::settings() const {
  SaeTrainConfig config = config_;
  config.out.clear(), config.activations.clear(), config.resume = false;
  nlohmann::json json = fields_to_json(fields_of(config));
  json["model_sha256"] = states_->source().model_sha256;
  json["hook"] = lens_hook_name(states_->source().hook);
  json["states"] = states_->identity();
  return json.dump();
}

void SaeTraining::save_checkpoint(int64_t step) const {
  TensorMap tensors = {{"quiet", quiet_}, {"kept", at::full({1}, kept_, at::kDouble)}};
  const std::vector<Tensor> leaves = leaves_.all();
  for (size_t i = 0; i < leaves.size(); ++i) {
    const std::string number = std::to_string(i);
    tensors["leaf." + number] = leaves[i], tensors["first." + number] = first_[i],
                      tensors["second." + number] = second_[i];
  }
  save_safetensors(tensors, std::filesystem::path(config_.out) / "checkpoint.safetensors",
                   {{"step", std::to_string(step)}, {"settings", settings()}});
}

int64_t SaeTraining::load_checkpoint() {
  const std::filesystem::path file = std::filesystem::path(config_.out) / "checkpoint.safetensors";
  if (!std::filesystem::exists(file))
    throw Error("'" + config_.out + "' holds no training to go on with; leave --resume out.");
  const auto metadata = load_safetensors_metadata(file);
  if (!metadata.contains("settings") || metadata.at("settings") != settings())
    throw Error(file.string() + " is of a training with other settings or activations.");
  const TensorMap tensors = load_safetensors(file);
  const auto restored = [&](const std::string& name, const Tensor& like) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.sizes() != like.sizes() ||
        found->second.scalar_type() != like.scalar_type())
      throw Error(file.string() + ": '" + name + "' is missing or of another shape.");
    return found->second.clone();
  };
  Tensor* const leaves[] = {&leaves_.encoder, &leaves_.encoder_bias, &leaves_.decoder, &leaves_.decoder_bias,
                            &leaves_.threshold};
  for (size_t i = 0; i < first_.size(); ++i) {
    const std::string number = std::to_string(i);
    *leaves[i] = leaf(restored("leaf." + number, *leaves[i]));
    first_[i] = restored("first." + number, first_[i]);
    second_[i] = restored("second." + number, second_[i]);
  }
  kept_ = restored("kept", at::empty({1}, at::kDouble)).item<double>();
  quiet_ = restored("quiet", quiet_);
  return std::strtoll(metadata.contains("step") ? metadata.at("step").c_str() : "0", nullptr, 10);
}

}  // namespace hijack
