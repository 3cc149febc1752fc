#include "models/dtype.h"

#include "src/base/error.h"

namespace hijack {
namespace {

struct Dtype {
  const char* name;
  at::ScalarType weights;
};

constexpr Dtype kDtypes[] = {
    {"float32", at::kFloat}, {"autocast", at::kFloat}, {"bfloat16", at::kBFloat16}, {"float16", at::kHalf}};

}  // namespace

std::vector<std::string> dtype_names() {
  std::vector<std::string> names = {"auto"};
  for (const Dtype& dtype : kDtypes) names.emplace_back(dtype.name);
  return names;
}

std::string chosen_dtype(const std::string& name, at::Device device, bool stored_in_float32) {
  if (name == "auto") return device.is_cpu() ? "float32" : stored_in_float32 ? "autocast" : "bfloat16";
  for (const Dtype& dtype : kDtypes)
    if (name == dtype.name) return name;
  throw Error("dtype \"" + name + "\" is not known; write auto, float32, autocast, bfloat16 or float16");
}

at::ScalarType weight_dtype(const std::string& chosen) {
  for (const Dtype& dtype : kDtypes)
    if (chosen == dtype.name) return dtype.weights;
  TORCH_CHECK(false, "no dtype: ", chosen);
}

}  // namespace hijack
