#include "src/experiment/plan/machine.h"

#include <ATen/Parallel.h>

namespace hijack {

void Machine::put_into(AttackConfig& config) const {
  if (threads) config.threads = *threads;
  if (device.empty() || device == config.device) return;
  config.dtype = dtype_of(config);
  config.device = device;
}

std::string dtype_of(const AttackConfig& config) {
  if (config.dtype != "auto") return config.dtype;
  return config.device == "cpu" ? "float32" : "bfloat16";
}

void use_threads(const AttackConfig& config) {
  if (config.threads > 0) at::set_num_threads(static_cast<int>(config.threads));
}

}  // namespace hijack
