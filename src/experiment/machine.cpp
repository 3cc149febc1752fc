#include "src/experiment/machine.h"

#include <ATen/Parallel.h>

namespace hijack {

void Machine::put_into(AttackConfig& config) const {
  if (threads) config.threads = *threads;
  if (device.empty() || device == config.device) return;
  if (config.dtype == "auto") config.dtype = config.device == "cpu" ? "float32" : "bfloat16";
  config.device = device;
}

void use_threads(const AttackConfig& config) {
  if (config.threads > 0) at::set_num_threads(static_cast<int>(config.threads));
}

}  // namespace hijack
