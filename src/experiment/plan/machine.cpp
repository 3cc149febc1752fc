#include "src/experiment/plan/machine.h"

#include <ATen/Parallel.h>

#include "models/prefix/images_at_once.h"

namespace hijack {

void Machine::put_into(AttackConfig& config) const {
  if (threads) config.threads = *threads;
  if (asking) config.asking = *asking;
  if (!image_batch.empty()) config.image_batch = image_batch;
  if (device.empty() || device == config.device) return;
  config.dtype = dtype_of(config);
  config.device = device;
}

std::string dtype_of(const AttackConfig& config) {
  return dtype_of(config.model, config.dtype, config.device == "cpu" ? at::kCPU : at::kCUDA);
}

LoadOptions load_options(const AttackConfig& config, const std::string& folder) {
  LoadOptions options{
      .device = config.device, .dtype = config.dtype, .views = config.views, .max_pixels = config.max_pixels};
  if (folder != config.model) return options;
  options.vision_tower = config.vision_tower;
  options.adapter = config.adapter;
  return options;
}

std::string model_key(const AttackConfig& config) {
  std::string key;
  for (const std::string& part : {config.model, config.vision_tower, config.adapter, config.device,
                                  config.dtype, config.views, std::to_string(config.max_pixels)})
    key += part + "\n";
  return key;
}

void use_threads(const AttackConfig& config) {
  if (config.threads > 0) at::set_num_threads(static_cast<int>(config.threads));
  set_image_batch(image_batch_from_name(config.image_batch));
}

}  // namespace hijack
