#include "models/checkpoint/stored_weights.h"

#include "models/checkpoint/weight_files.h"
#include "src/base/error.h"

namespace hijack {
namespace {

std::string stored_dtype(at::ScalarType dtype) {
  if (dtype == at::kFloat) return "float32";
  if (dtype == at::kBFloat16) return "bfloat16";
  if (dtype == at::kHalf) return "float16";
  return c10::toString(dtype);
}

}  // namespace

bool StoredWeights::mostly(const std::string& dtype) const {
  const auto found = dtypes.find(dtype);
  return found != dtypes.end() && 2 * found->second > parameters;
}

StoredWeights stored_weights(const std::filesystem::path& folder) {
  StoredWeights stored;
  if (!has_weights(folder)) return stored;
  for (const auto& file : weight_files(folder)) {
    ++stored.files;
    for (const auto& [tensor_name, tensor] : load_tensors(file)) {
      stored.parameters += tensor.numel();
      stored.dtypes[stored_dtype(tensor.scalar_type())] += tensor.numel();
    }
  }
  return stored;
}

bool stored_in_float32(const std::filesystem::path& folder) {
  try {
    return std::filesystem::is_directory(folder) && stored_weights(folder).mostly("float32");
  } catch (const Error&) {  // whoever reads them says what is wrong
    return false;
  }
}

}  // namespace hijack
