#include "models/checkpoint/lora_adapter.h"

#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "models/checkpoint/weight_files.h"
#include "src/base/error.h"
#include "src/base/json.h"
#include "src/base/unicode.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

thread_local const AdapterScope* innermost = nullptr;

constexpr const char* kAdapterConfig = "adapter_config.json";

/// Switches that change what is added, or to what.
constexpr const char* kUnsupported[] = {"use_dora",
                                        "fan_in_fan_out",
                                        "lora_bias",
                                        "modules_to_save",
                                        "rank_pattern",
                                        "alpha_pattern",
                                        "layer_replication",
                                        "trainable_token_indices",
                                        "target_parameters",
                                        "use_qalora",
                                        "alora_invocation_tokens",
                                        "megatron_config",
                                        "use_bdlora",
                                        "kasa_config",
                                        "monteclora_config",
                                        "arrow_config",
                                        "velora_config"};

bool is_off(const json& value) {
  return value.is_null() || value == false || ((value.is_array() || value.is_object()) && value.empty());
}

void check_switches(const json& config, const std::string& where) {
  const auto text = [&](const char* name) {
    return config.contains(name) && config[name].is_string() ? config[name].get<std::string>() : "";
  };
  if (text("peft_type") != "LORA")
    throw Error(where + ": peft_type " + config.value("peft_type", json()).dump().substr(0, 60) +
                " is not supported; LORA is");
  for (const char* name : kUnsupported)
    if (config.contains(name) && !is_off(config[name]))
      throw Error(
          where + ": " + name + " " + config[name].dump().substr(0, 60) +
          " is not supported; merge the adapter in Python (merge_and_unload) and give the merged model");
  if (config.contains("bias") && config["bias"] != "none")
    throw Error(where + ": bias " + config["bias"].dump().substr(0, 60) + " is not supported; none is");
  const json start = config.value("init_lora_weights", json(true));
  if (!start.is_boolean() && start != "gaussian" && !start.is_null())
    throw Error(where + ": init_lora_weights " + start.dump().substr(0, 60) +
                " changes the base model, too; merge the adapter in Python (merge_and_unload)");
}

double number(const json& config, const char* name, const std::string& where) {
  const double value = config.contains(name) && config[name].is_number() ? config[name].get<double>() : 0;
  if (!(value > 0) || !std::isfinite(value)) throw Error(where + ": " + name + " must be a number above 0");
  return value;
}

/// "language_model.layers.0.q_proj" and "lora_A" of
/// "base_model.model.language_model.layers.0.q_proj.lora_A.weight".
std::pair<std::string, std::string> parts_of(std::string name) {
  constexpr std::string_view kFront = "base_model.model.";
  if (name.starts_with(kFront)) name.erase(0, kFront.size());
  for (const std::string ending : {".default.weight", ".weight"})
    if (name.ends_with(ending)) {
      name.resize(name.size() - ending.size());
      break;
    }
  const size_t dot = name.rfind('.');
  if (dot == name.npos) return {name, ""};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

bool is_target(const std::string& module, const json& targets) {
  if (!targets.is_array()) return true;  // a pattern of PEFT's: the tensors say what it met
  return std::any_of(targets.begin(), targets.end(), [&](const json& one) {
    if (!one.is_string()) return false;
    const auto& name = one.get_ref<const std::string&>();
    return module == name || module.ends_with("." + name);
  });
}

fs::path weights_of(const fs::path& folder) {
  for (const char* name : {"adapter_model.safetensors", "adapter_model.bin"})
    if (fs::is_regular_file(folder / name)) return folder / name;
  throw Error(folder.string() + " has no adapter_model.safetensors");
}

}  // namespace

Tensor LoraAdapter::Delta::value() const {
  const at::NoGradGuard no_gradients;
  return b.to(at::kFloat).mm(a.to(at::kFloat)) * scale;
}

LoraAdapter::LoraAdapter(const fs::path& folder) : where_(folder.string()) {
  if (!fs::is_regular_file(folder / kAdapterConfig))
    throw Error("there is no LoRA adapter in '" + folder.string() +
                "'; --adapter takes a folder that PEFT saved, with adapter_config.json");
  const json config = read_json(folder / kAdapterConfig);
  const std::string where = (folder / kAdapterConfig).string();
  if (!config.is_object()) throw Error(where + " is not a JSON object");
  check_switches(config, where);
  const double rank = number(config, "r", where), alpha = number(config, "lora_alpha", where);
  const bool stabilized = config.value("use_rslora", json(false)) == true;
  const fs::path weights = weights_of(folder);
  for (const auto& [name, tensor] : load_tensors(weights)) {
    const auto [module, part] = parts_of(name);
    if ((part != "lora_A" && part != "lora_B") || !is_target(module, config.value("target_modules", json())))
      throw Error(weights.string() + ": the tensor " + unicode::excerpt(name) +
                  " is no part of LoRA on a target module of adapter_config.json");
    if (tensor.dim() != 2 || !at::isFloatingType(tensor.scalar_type()) ||
        static_cast<double>(tensor.size(part == "lora_A" ? 0 : 1)) != rank)
      throw Error(weights.string() + ": the tensor " + unicode::excerpt(name) +
                  " is no matrix of rank r = " + std::to_string(static_cast<int64_t>(rank)));
    Delta& delta = deltas_[module + ".weight"];
    (part == "lora_A" ? delta.a : delta.b) = tensor;
    delta.scale = alpha / (stabilized ? std::sqrt(rank) : rank);
  }
  for (const auto& [name, delta] : deltas_)
    if (!delta.a.defined() || !delta.b.defined())
      throw Error(weights.string() + " has only one of lora_A and lora_B for " + unicode::excerpt(name));
  if (deltas_.empty()) throw Error(weights.string() + " has no tensors");
}

AdapterScope::AdapterScope(fs::path folder, const LoraAdapter& adapter, bool values)
    : folder_(std::move(folder)), adapter_(adapter), values_(values), outer_(innermost) {
  innermost = this;
}

AdapterScope::~AdapterScope() {
  innermost = outer_;
}

const AdapterScope* AdapterScope::of(const fs::path& folder) {
  if (innermost == nullptr || innermost->folder_ != folder) return nullptr;
  innermost->used_ = true;
  return innermost;
}

}  // namespace hijack
