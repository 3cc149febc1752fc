#include "src/training/sae_training.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors.h"
#include "models/checkpoint/safetensors_metadata.h"
#include "src/base/error.h"
#include "src/base/fields.h"
#include "src/base/file.h"
#include "src/base/random.h"

namespace hijack {
namespace {

constexpr int64_t kMostBytes = int64_t{4} << 30;
constexpr int64_t kFewestTokens = 64;
constexpr double kAuxiliaryShare = 1.0 / 32;  // Gao et al. 2024
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kTiny = 1e-8;
constexpr int64_t kMeasuredAtOnce = 1024;

void check_sae(const SaeTrainConfig& config) {
  const auto least = [](const char* flag, double value, double low, double high) {
    if (!(value >= low && value <= high))
      throw Error(std::string(flag) + " must be from " + nlohmann::json(low).dump() + " to " +
                  nlohmann::json(high).dump() + ".");
  };
  if (config.activations.empty())
    throw Error("hijack train sae needs --activations: files that 'hijack activations' wrote.");
  if (config.out.empty()) throw Error("--out needs the name of a folder.");
  if (config.architecture != "topk" && config.architecture != "standard")
    throw Error("--architecture must be topk or standard, not '" + config.architecture + "'.");
  least("--expansion", static_cast<double>(config.expansion), 1, 256);
  least("--k", static_cast<double>(config.k), 1, 1e6);
  least("--l1", config.l1, 0, 1e6);
  least("--steps", static_cast<double>(config.steps), 1, 1e9);
  least("--batch", static_cast<double>(config.batch), 1, 1e6);
  least("--rate", config.rate, 1e-9, 1);
  least("--dead-after", static_cast<double>(config.dead_after), 1, 1e9);
  least("--checkpoint-every", static_cast<double>(config.checkpoint_every), 1, 1e9);
}

Tensor leaf(const Tensor& value) {
  return value.contiguous().detach().requires_grad_(true);
}

}  // namespace

nlohmann::json to_json(const SaeMeasures& measures) {
  return {{"tokens", measures.tokens},
          {"l0", measures.l0},
          {"explained_variance", measures.explained_variance},
          {"dead_share", measures.dead_share}};
}

SaeTraining::SaeTraining(const SaeTrainConfig& config) : config_(config) {
  check_sae(config_);
  const std::filesystem::path out = config_.out;
  if (!config_.resume &&
      (std::filesystem::exists(out / "checkpoint.safetensors") || std::filesystem::exists(out / "cfg.json")))
    throw Error("'" + config_.out +
                "' holds a training already: go on with --resume, or choose another --out.");
  const ActivationSet set(
      std::vector<std::filesystem::path>(config_.activations.begin(), config_.activations.end()));
  source_ = set.source();
  if (config_.architecture == "topk" && config_.k > config_.expansion * source_.width)
    throw Error("--k " + std::to_string(config_.k) + " is more than the " +
                std::to_string(config_.expansion * source_.width) + " latents.");
  split(set.all_rows(kMostBytes));
  initialize();
}

void SaeTraining::split(const ActivationRows& rows) {
  if (rows.size() < kFewestTokens)
    throw Error("there are " + std::to_string(rows.size()) +
                " tokens; a sparse autoencoder is trained on at least " + std::to_string(kFewestTokens) +
                ", and better on thousands.");
  constexpr int64_t kTenth = 10;
  const bool by_prompt =
      static_cast<int64_t>(source_.contexts.size()) >= kTenth && rows.context.max().item<int64_t>() > 0;
  const Tensor key = by_prompt ? rows.context : at::arange(rows.size(), at::kLong);
  const Tensor held = (key.remainder(kTenth) == kTenth - 1);
  const Tensor trained = rows.states.index_select(0, held.logical_not().nonzero().squeeze(1));
  scale_ = std::sqrt(static_cast<double>(source_.width)) /
           std::max(trained.norm(2, 1).mean().item<double>(), kTiny);
  train_ = trained * scale_;
  held_out_ = rows.states.index_select(0, held.nonzero().squeeze(1)) * scale_;
  if (held_out_.size(0) == 0) held_out_ = train_;
}

void SaeTraining::initialize() {
  const int64_t width = source_.width, latents = config_.expansion * width;
  Random random = Random(config_.seed).fork("sparse autoencoder");
  const Tensor rows = random.normal_tensor({latents, width});
  const Tensor decoder = rows / rows.norm(2, 1, /*keepdim=*/true);
  // a ReLU that must choose its latents by itself begins small
  const Tensor first = config_.architecture == "topk" ? decoder : decoder * 0.1;
  leaves_ = {leaf(first.t()), leaf(at::zeros({latents})), leaf(first), leaf(train_.mean(0))};
  for (const Tensor& one : leaves_.all()) {
    first_.push_back(at::zeros_like(one).detach());
    second_.push_back(at::zeros_like(one).detach());
  }
  quiet_ = at::zeros({latents});
}

Tensor SaeTraining::auxiliary_loss(const Tensor& before, const Tensor& missing) const {
  const Tensor dead = quiet_ >= static_cast<double>(config_.dead_after);
  const int64_t count = dead.sum().item<int64_t>(), wanted = source_.width / 2;
  if (count == 0 || wanted == 0) return at::zeros({});
  const Tensor candidates = before.masked_fill(dead.logical_not(), -std::numeric_limits<float>::infinity());
  const auto [values, places] = candidates.topk(std::min(wanted, count), -1);
  const Tensor revived = at::zeros_like(before).scatter(-1, places, values.relu());
  const double share =
      kAuxiliaryShare * std::min(1.0, static_cast<double>(count) / static_cast<double>(wanted));
  return (missing.detach() - revived.matmul(leaves_.decoder)).square().sum(-1).mean() * share;
}

/// x [n,D] -> what the step minimizes: squared error per token, and the penalty of the architecture.
Tensor SaeTraining::loss(const Tensor& x) {
  const Tensor before = (x - leaves_.decoder_bias).matmul(leaves_.encoder) + leaves_.encoder_bias;
  Tensor latents = before.relu();
  if (config_.architecture == "topk") {
    const auto [values, places] = before.topk(config_.k, -1);
    latents = at::zeros_like(before).scatter(-1, places, values.relu());
  }
  {
    const at::NoGradGuard no_gradients;
    quiet_ = at::where((latents > 0).any(0), at::zeros_like(quiet_), quiet_ + 1);
  }
  const Tensor missing = x - latents.matmul(leaves_.decoder) - leaves_.decoder_bias;
  const Tensor error = missing.square().sum(-1).mean();
  if (config_.architecture == "topk") return error + auxiliary_loss(before, missing);
  return error + config_.l1 * (latents * leaves_.decoder.norm(2, 1)).sum(-1).mean();
}

double SaeTraining::rate_at(int64_t step) const {
  const auto all = static_cast<double>(config_.steps), at = static_cast<double>(step);
  const double warm = std::max(all / 20, 1.0), decay = std::max(all / 5, 1.0);
  return config_.rate * std::min({1.0, (at + 1) / warm, (all - at) / decay});
}

double SaeTraining::take_step(int64_t step) {
  Random random = Random(config_.seed).fork("batch", static_cast<uint64_t>(step));
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < config_.batch; ++i) rows.push_back(random.below(train_.size(0)));
  const Tensor value = loss(train_.index_select(0, at::tensor(rows, at::kLong)));
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
  // latents of topk have no other scale
  if (config_.architecture == "topk") leaves_.decoder.div_(leaves_.decoder.norm(2, 1, true).clamp_min(kTiny));
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
  sae.model_name = source_.model;
  sae.model_sha256 = source_.model_sha256;
  sae.hook_name = lens_hook_name(source_.hook);
  return sae;
}

SaeMeasures SaeTraining::measure() const {
  const at::NoGradGuard no_gradients;
  const SparseAutoencoder sae = folded();
  SaeMeasures measures{.tokens = held_out_.size(0)};
  Tensor active = at::zeros({sae.latents()}, at::kBool);
  std::vector<Tensor> reconstructed;
  double count = 0;
  for (const Tensor& set : {held_out_, train_})
    for (const Tensor& part : set.split(kMeasuredAtOnce)) {
      const Tensor latents = sae.encode(part / scale_);
      active.logical_or_((latents > 0).any(0));
      if (!set.is_same(held_out_)) continue;
      count += static_cast<double>((latents > 0).sum().item<int64_t>());
      reconstructed.push_back(sae.decode(latents));
    }
  measures.l0 = count / static_cast<double>(std::max<int64_t>(held_out_.size(0), 1));
  measures.explained_variance = hijack::explained_variance(held_out_ / scale_, at::cat(reconstructed));
  measures.dead_share = 1 - active.to(at::kDouble).mean().item<double>();
  return measures;
}

std::string SaeTraining::settings() const {
  SaeTrainConfig config = config_;
  config.out.clear(), config.activations.clear(), config.resume = false;
  nlohmann::json json = fields_to_json(fields_of(config));
  json["model_sha256"] = source_.model_sha256, json["hook"] = lens_hook_name(source_.hook);
  json["tokens"] = train_.size(0);
  return json.dump();
}

void SaeTraining::save_checkpoint(int64_t step) const {
  TensorMap tensors = {{"quiet", quiet_}};
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
        found->second.scalar_type() != at::kFloat)
      throw Error(file.string() + ": '" + name + "' is missing or of another shape.");
    return found->second.clone();
  };
  Tensor* const leaves[] = {&leaves_.encoder, &leaves_.encoder_bias, &leaves_.decoder, &leaves_.decoder_bias};
  for (size_t i = 0; i < 4; ++i) {
    const std::string number = std::to_string(i);
    *leaves[i] = leaf(restored("leaf." + number, *leaves[i]));
    first_[i] = restored("first." + number, first_[i]);
    second_[i] = restored("second." + number, second_[i]);
  }
  quiet_ = restored("quiet", quiet_);
  return std::strtoll(metadata.contains("step") ? metadata.at("step").c_str() : "0", nullptr, 10);
}

}  // namespace hijack
