#include "src/base/tensor_math.h"

#include <ATen/ATen.h>

namespace hijack {

Tensor straight_through(const Tensor& value, const Tensor& path) {
  TORCH_CHECK(value.sizes() == path.sizes(), "straight-through of ", value.sizes(), " over ", path.sizes());
  return path + (value.to(path.device()) - path).detach();
}

Tensor at_least_float(const Tensor& x) {
  return x.to(at::promote_types(x.scalar_type(), at::kFloat));
}

Tensor on_device(const Tensor& x, at::Device device) {
  return x.defined() ? x.to(device) : x;
}

Tensor luma(const Tensor& image) {
  const Tensor weights = at::tensor({0.299, 0.587, 0.114}, image.options()).view({1, 3, 1, 1});
  return (image * weights).sum(1, true);
}

}  // namespace hijack
