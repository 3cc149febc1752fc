#include "models/checkpoint/parameter_source.h"

#include <ATen/ATen.h>

namespace hijack {

bool is_narrow(at::ScalarType type) {
  return type == at::kBFloat16 || type == at::kHalf;
}

at::ScalarType compute_dtype(at::ScalarType stored, at::Device device) {
  if (!device.is_cpu() || !is_narrow(stored)) return stored;
#if defined(__x86_64__)
#if defined(__clang__) && __clang_major__ < 18
  const bool fast_half = false;  // does not know the name
#else
  const bool fast_half = __builtin_cpu_supports("avx512fp16");
#endif
  const bool fast = stored == at::kBFloat16 ? __builtin_cpu_supports("avx512bf16") : fast_half;
  return fast ? stored : at::kFloat;
#else
  return stored;
#endif
}

ParameterSource frozen_source(Weights& weights, at::Device device, at::ScalarType dtype) {
  const at::ScalarType computed = compute_dtype(dtype, device);
  ParameterSource source = [&weights, device, dtype, computed](const std::string& name,
                                                               at::IntArrayRef shape) {
    // matrices take the memory, and Linear knows how to widen them
    return weights.take(name, shape)
        .to(device, shape.size() == 2 ? dtype : computed)
        .set_requires_grad(false);
  };
  source.autocast = AutocastScope::is_on();
  return source;
}

namespace {

thread_local bool autocast_is_on = false;

}  // namespace

AutocastScope::AutocastScope(bool on) : outer_(autocast_is_on) {
  autocast_is_on = on;
}

AutocastScope::~AutocastScope() {
  autocast_is_on = outer_;
}

bool AutocastScope::is_on() {
  return autocast_is_on;
}

}  // namespace hijack
