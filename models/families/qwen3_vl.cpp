#include "models/families/qwen3_vl.h"

#include "models/families/qwen_vl.h"

namespace hijack {

std::shared_ptr<const VisionLanguageModel> load_qwen3_vl(const std::filesystem::path& folder,
                                                         const nlohmann::json& config, at::Device device,
                                                         at::ScalarType dtype) {
  static const QwenVlGeneration kGeneration = {"qwen3_vl", "qwen3_vl_text", QwenVlVisionConfig::of_qwen3,
                                               kQwen3VlTemplate};
  return load_qwen_vl(folder, config, kGeneration, device, dtype);
}

}  // namespace hijack
