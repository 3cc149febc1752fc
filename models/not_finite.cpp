#include "models/not_finite.h"

#include <ATen/ATen.h>

#include "models/checkpoint/weights.h"
#include "models/dtype.h"

namespace hijack {
namespace {

bool finite_in(const Tensor& tensor, at::ScalarType dtype) {
  return !tensor.is_floating_point() || tensor.to(dtype).isfinite().all().item<bool>();
}

/// The sentence about the first tensor of the folder that is not finite; "" where all are, or where the
/// folder keeps its weights in another form (TorchScript).
std::string culprit(const std::filesystem::path& folder, at::ScalarType dtype) {
  std::optional<Weights> weights;
  try {
    weights.emplace(folder);
  } catch (const Error&) {
    return "";
  }
  for (const auto& [name, tensor] : weights->tensors()) {
    const std::string whose = "the tensor " + name.substr(0, 200) + " of " + folder.string();
    if (!finite_in(tensor, at::kFloat))
      return whose + " has NaN or infinite numbers; download the checkpoint again.";
    if (!finite_in(tensor, dtype))
      return whose + " has numbers that are too large for the dtype; give --dtype float32 or bfloat16.";
  }
  return "";
}

}  // namespace

void explain(const NotFinite& found, std::span<const std::filesystem::path> folders,
             const LoadOptions& options) {
  const std::string what = std::string(found.what()) + ": ";
  std::set<std::string> dtypes;
  for (const auto& folder : folders) {
    const std::string dtype = dtype_of(folder, options);
    if (const std::string why = culprit(folder, weight_dtype(dtype)); !why.empty()) throw Error(what + why);
    dtypes.insert(dtype);
  }
  if (dtypes.contains("float16"))
    throw Failure(what + "most likely an overflow in float16; give --dtype float32 or bfloat16.");
  if (dtypes.contains("bfloat16") || dtypes.contains("autocast"))
    throw Failure(what + "most likely an overflow in bfloat16; give --dtype float32.");
  throw Failure(
      what +
      "the model computes in float32 and its weights are finite, so its numbers grow beyond all bounds "
      "on the way: config.json may not be the one that belongs to these weights.");
}

}  // namespace hijack
