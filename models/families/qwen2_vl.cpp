#include "models/families/qwen2_vl.h"

#include "models/families/qwen_vl.h"

namespace hijack {

std::shared_ptr<const VisionLanguageModel> load_qwen2_vl(const std::filesystem::path& folder,
                                                         const nlohmann::json& config, at::Device device,
                                                         at::ScalarType dtype) {
  static const QwenVlGeneration kGeneration = {"qwen2_vl", "qwen2_vl_text", QwenVlVisionConfig::of_qwen2,
                                               kQwen2VlTemplate};
  return load_qwen_vl(folder, config, kGeneration, device, dtype);
}

}  // namespace hijack
