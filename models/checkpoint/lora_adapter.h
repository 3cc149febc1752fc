#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "models/checkpoint/safetensors.h"

namespace hijack {

/// A LoRA adapter as PEFT saves it (adapter_config.json; adapter_model.safetensors or .bin): what it adds to
/// the weights of a model, W + scale * B A with scale = lora_alpha / r, or lora_alpha / sqrt(r) with
/// use_rslora.
class LoraAdapter {
 public:
  struct Delta {
    Tensor a, b;  ///< [r, in], [out, r]
    double scale = 1;
    /// float32 [out, in].
    Tensor value() const;
  };

  /// Throws Error for folders that are none, and by name for what merging does not do: other methods than
  /// LoRA, DoRA, biases, modules saved whole, adapters of embeddings, patterns of ranks, initializations that
  /// change the base model, tensors beside the target modules.
  explicit LoraAdapter(const std::filesystem::path& folder);

  /// By the name of the weight in the model, as the model was called in memory when the adapter was trained.
  const std::map<std::string, Delta>& deltas() const { return deltas_; }
  const std::string& where() const { return where_; }

 private:
  std::string where_;
  std::map<std::string, Delta> deltas_;
};

/// While it lives, every `Weights` that this thread reads from `folder` has the adapter merged in: families
/// know nothing of adapters. values: false where weights are never computed with (device meta).
class AdapterScope {
 public:
  AdapterScope(std::filesystem::path folder, const LoraAdapter& adapter, bool values);
  ~AdapterScope();
  AdapterScope(const AdapterScope&) = delete;
  AdapterScope& operator=(const AdapterScope&) = delete;

  /// That of the folder; null where there is none.
  static const AdapterScope* of(const std::filesystem::path& folder);
  /// Whether it was asked for: a family that reads no `Weights` from the folder has merged nothing.
  bool used() const { return used_; }
  const LoraAdapter& adapter() const { return adapter_; }
  bool values() const { return values_; }

 private:
  std::filesystem::path folder_;
  const LoraAdapter& adapter_;
  bool values_;
  mutable bool used_ = false;
  const AdapterScope* outer_;
};

}  // namespace hijack
