#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "src/base/tensor.h"

namespace hijack {

using TensorMap = std::map<std::string, Tensor>;

/// Reads one safetensors file by mapping it (copy-on-write, no copies except of misaligned tensors). The file
/// is taken as hostile: header size, offsets, shapes, overflow, overlap, gaps, duplicates, dtypes are
/// checked.
TensorMap load_safetensors(const std::filesystem::path& file);

/// Writes through a temporary name. Tensors are made contiguous; the order is by element size (largest first,
/// so that all are aligned), then by name: the same tensors give the same bytes.
void save_safetensors(const TensorMap& tensors, const std::filesystem::path& file,
                      const std::map<std::string, std::string>& metadata = {});

/// The tensors of a checkpoint folder (single file or sharded by index), taken out one by one; what nobody
/// took is an error, as is what is missing.
class Weights {
 public:
  /// Throws Error for folders without safetensors (says how to convert .bin), missing shards, wrong index.
  explicit Weights(const std::filesystem::path& folder);
  Weights(TensorMap tensors, std::string where);

  /// Maps every stored name to the name the model code uses (old and new naming schemes); "" drops a tensor.
  void rename(const std::function<std::string(const std::string&)>& canonical);
  /// The tensors of another checkpoint in place of all whose names begin with `prefix`.
  void replace(const std::string& prefix, const Weights& others);
  const TensorMap& tensors() const { return tensors_; }
  bool has(const std::string& name) const { return tensors_.contains(name); }
  at::IntArrayRef shape(const std::string& name) const;
  /// Throws Error naming the tensor and both shapes when missing or different. Marks it as used. As stored on
  /// disk.
  Tensor take(const std::string& name, at::IntArrayRef shape);
  /// Throws Error naming up to three tensors that nobody took.
  void finish() const;

 private:
  std::string where_;
  TensorMap tensors_;
  std::set<std::string> used_;
};

}  // namespace hijack
