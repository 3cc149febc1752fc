#include "models/sae/sae.h"

#include <ATen/ATen.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/json.h"
#include "src/base/nearest.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::vector<std::string> kArchitectures = {"standard", "topk", "jumprelu"};
const std::pair<const char*, HookPoint> kLensHooks[] = {{"hook_resid_post", HookPoint::kResidual},
                                                        {"hook_mlp_out", HookPoint::kMlp},
                                                        {"hook_attn_out", HookPoint::kAttention}};

/// A text of cfg.json: of "metadata", or at the root as SAELens 3 to 5 have it.
std::string text_of(const json& config, const std::string& name) {
  for (const json* place : {config.contains("metadata") ? &config["metadata"] : &config, &config})
    if (place->is_object() && place->contains(name) && (*place)[name].is_string())
      return (*place)[name].get<std::string>();
  return {};
}

std::string architecture_of(const json& config, const std::string& where) {
  const std::string function = text_of(config, "activation_fn_str");
  std::string name = text_of(config, "architecture");
  if (name.empty()) name = "standard";
  if (name == "standard" && function == "topk") name = "topk";  // as SAELens 3 to 5 write it
  if (std::find(kArchitectures.begin(), kArchitectures.end(), name) == kArchitectures.end())
    throw Error(where + ": " + unknown_name("architecture", name, kArchitectures));
  if (name == "standard" && !function.empty() && function != "relu")
    throw Error(where + ": the activation '" + function.substr(0, 40) +
                "' is not read here; relu and topk are.");
  return name;
}

int64_t k_of(const json& config, const std::string& where) {
  const json* value = config.contains("k") ? &config["k"] : nullptr;
  if (const auto old = config.find("activation_fn_kwargs");
      !value && old != config.end() && old->contains("k"))
    value = &(*old)["k"];
  if (!value || !value->is_number_integer() || value->get<int64_t>() < 1)
    throw Error(where + ": topk needs 'k', a number from 1.");
  return value->get<int64_t>();
}

void check_plain(const json& config, const std::string& where) {
  const std::string normalized = text_of(config, "normalize_activations");
  if (!normalized.empty() && normalized != "none" && normalized != "expected_average_only_in")
    throw Error(where + ": normalize_activations '" + normalized.substr(0, 60) + "' is not read here.");
  if (const auto found = config.find("reshape_activations");
      found != config.end() && found->is_string() && *found != "none")
    throw Error(where + ": reshape_activations '" + found->get<std::string>().substr(0, 60) +
                "' is not read here.");
}

Tensor taken(const TensorMap& tensors, const char* name, int64_t dimensions, const std::string& where) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw Error(where + " has no '" + name + "'.");
  const Tensor value = found->second.to(at::kFloat);
  if (value.dim() != dimensions || value.numel() == 0 || !value.isfinite().all().item<bool>())
    throw Error(where + ": '" + name + "' must be finite numbers of " + std::to_string(dimensions) +
                " dimensions.");
  return value;
}

void check_shapes(const SparseAutoencoder& sae, const std::string& where) {
  const int64_t width = sae.width(), latents = sae.latents();
  const bool fits = sae.encoder_bias.size(0) == latents && sae.decoder.size(0) == latents &&
                    sae.decoder.size(1) == width && sae.decoder_bias.size(0) == width &&
                    (!sae.threshold.defined() || sae.threshold.size(0) == latents) && sae.k <= latents;
  if (!fits) throw Error(where + ": its tensors do not fit together.");
}

/// Latents that SAELens scales by the norm of their decoder rows, as latents of a decoder of norm 1.
void fold_decoder_norms(SparseAutoencoder& sae) {
  const Tensor norms = sae.decoder.norm(2, 1).clamp_min(1e-8);
  sae.encoder = sae.encoder * norms;
  sae.encoder_bias = sae.encoder_bias * norms;
  sae.decoder = sae.decoder / norms.unsqueeze(1);
}

}  // namespace

Tensor SparseAutoencoder::encode(const Tensor& x) const {
  const Tensor input = x.to(encoder.options());
  const Tensor before = (subtracts_bias ? input - decoder_bias : input).matmul(encoder) + encoder_bias;
  if (architecture == "jumprelu") return before.relu() * (before > threshold).to(before.scalar_type());
  if (architecture == "standard") return before.relu();
  const auto [values, places] = before.topk(k, -1);
  return at::zeros_like(before).scatter(-1, places, values.relu());
}

Tensor SparseAutoencoder::decode(const Tensor& latents) const {
  return latents.matmul(decoder) + decoder_bias;
}

SparseAutoencoder SparseAutoencoder::read(const fs::path& folder) {
  const fs::path file = folder / "cfg.json", weights = folder / "sae_weights.safetensors";
  if (!fs::exists(file))
    throw Error("'" + folder.string() + "' holds no sparse autoencoder (there is no cfg.json).");
  const json config = read_json(file);
  const std::string where = file.string();
  if (!config.is_object()) throw Error(where + " is no object.");
  check_plain(config, where);
  const TensorMap tensors = load_safetensors(weights);
  SparseAutoencoder sae{.architecture = architecture_of(config, where)};
  sae.encoder = taken(tensors, "W_enc", 2, weights.string());
  sae.encoder_bias = taken(tensors, "b_enc", 1, weights.string());
  sae.decoder = taken(tensors, "W_dec", 2, weights.string());
  sae.decoder_bias = taken(tensors, "b_dec", 1, weights.string());
  if (sae.architecture == "jumprelu") sae.threshold = taken(tensors, "threshold", 1, weights.string());
  if (sae.architecture == "topk") sae.k = k_of(config, where);
  if (const auto found = config.find("apply_b_dec_to_input"); found != config.end() && found->is_boolean())
    sae.subtracts_bias = found->get<bool>();
  sae.model_name = text_of(config, "model_name");
  sae.hook_name = text_of(config, "hook_name");
  sae.model_sha256 = text_of(config, "model_sha256");
  sae.tokens = text_of(config, "tokens");
  check_shapes(sae, weights.string());
  if (const auto found = config.find("rescale_acts_by_decoder_norm");
      sae.architecture == "topk" && found != config.end() && found->is_boolean() && found->get<bool>())
    fold_decoder_norms(sae);
  return sae;
}

void SparseAutoencoder::write(const fs::path& folder) const {
  check_shapes(*this, folder.string());
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed)
    throw Error("The folder '" + folder.string() + "' cannot be written: " + failed.message() + ".");
  TensorMap tensors = {
      {"W_enc", encoder}, {"b_enc", encoder_bias}, {"W_dec", decoder}, {"b_dec", decoder_bias}};
  if (threshold.defined()) tensors["threshold"] = threshold;
  json config = {
      {"architecture", architecture},
      {"d_in", width()},
      {"d_sae", latents()},
      {"dtype", "float32"},
      {"device", "cpu"},
      {"apply_b_dec_to_input", subtracts_bias},
      {"normalize_activations", "none"},
      {"reshape_activations", "none"},
      {"metadata",
       {{"model_name", model_name},
        {"hook_name", hook_name},
        {"hook_layer", hook_name.empty() ? 0 : std::max<int64_t>(hook_of_lens_name(hook_name).layer - 1, 0)},
        {"model_sha256", model_sha256},
        {"tokens", tokens},
        {"sae_lens_training_version", "hijack"}}}};
  if (architecture == "topk") config["k"] = k, config["rescale_acts_by_decoder_norm"] = false;
  save_safetensors(tensors, folder / "sae_weights.safetensors");
  write_file(folder / "cfg.json", config.dump(1) + "\n");
}

std::string lens_hook_name(const Hook& hook) {
  if (hook.point == HookPoint::kResidual && hook.layer == 0) return "blocks.0.hook_resid_pre";
  for (const auto& [name, point] : kLensHooks)
    if (point == hook.point) return "blocks." + std::to_string(hook.layer - 1) + "." + name;
  return {};
}

Hook hook_of_lens_name(const std::string& name) {
  constexpr std::string_view kBegin = "blocks.";
  const size_t dot = name.find('.', kBegin.size());
  int64_t block = -1;
  if (name.starts_with(kBegin) && dot != std::string::npos)
    std::from_chars(name.data() + kBegin.size(), name.data() + dot, block);
  if (block >= 0 && block < 100'000) {
    const std::string place = name.substr(dot + 1);
    if (place == "hook_resid_pre") return {HookPoint::kResidual, block};
    for (const auto& [known, point] : kLensHooks)
      if (place == known) return {point, block + 1};
  }
  throw Error("the hook '" + name.substr(0, 80) +
              "' of a sparse autoencoder is none of hijack's: residual stream, mlp "
              "or attention of a block.");
}

double explained_variance(const Tensor& x, const Tensor& reconstructed) {
  const Tensor wide = x.to(at::kDouble), other = reconstructed.to(at::kDouble);
  const double all = (wide - wide.mean(0)).square().sum().item<double>();
  return all > 0 ? 1 - (wide - other).square().sum().item<double>() / all : 0;
}

}  // namespace hijack
