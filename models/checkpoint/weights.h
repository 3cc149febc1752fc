#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "models/checkpoint/safetensors.h"

namespace hijack {

/// The tensors of a checkpoint folder (single file or sharded by index), taken out one by one; what nobody
/// took is an error, as is what is missing.
class Weights {
 public:
  /// Throws Error as load_weights does (weight_files.h). Where an adapter is put on the folder
  /// (lora_adapter.h), it is merged in.
  explicit Weights(const std::filesystem::path& folder);
  Weights(TensorMap tensors, std::string where);

  /// While one lives on a thread, folders without any weights can be read there on the device meta: they have
  /// every tensor that is asked for, of the shape that it is asked for.
  class ShapesOnly {
   public:
    ShapesOnly();
    ~ShapesOnly();
    ShapesOnly(const ShapesOnly&) = delete;
    ShapesOnly& operator=(const ShapesOnly&) = delete;
    /// In all tensors that were asked for so far.
    int64_t parameters() const { return parameters_; }

   private:
    friend class Weights;
    int64_t parameters_ = 0;
  };

  /// Maps every stored name to the name the model code uses (old and new naming schemes); "" drops a tensor.
  void rename(const std::function<std::string(const std::string&)>& canonical);
  /// The tensors of another checkpoint in place of all whose names begin with `prefix`.
  void replace(const std::string& prefix, const Weights& others);
  const TensorMap& tensors() const { return tensors_; }
  bool has(const std::string& name) const { return tensors_.contains(name); }
  at::IntArrayRef shape(const std::string& name) const;
  /// Throws Error naming the tensor and both shapes when missing or different. Marks it as used. As stored on
  /// disk; float32 where an adapter changes it.
  Tensor take(const std::string& name, at::IntArrayRef shape);
  /// Throws Error naming up to three tensors that nobody took, and for an adapter of what is not there.
  void finish() const;

 private:
  struct Adapted;
  Tensor merged(const std::string& name, const Tensor& weight);

  std::string where_;
  TensorMap tensors_;
  std::set<std::string> used_;
  std::shared_ptr<Adapted> adapted_;   ///< null without adapter
  ShapesOnly* shapes_only_ = nullptr;  ///< where there are no weights
};

}  // namespace hijack
