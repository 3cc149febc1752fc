#include "models/families/qwen2_5_vl.h"

#include "models/families/qwen_vl.h"

namespace hijack {

std::shared_ptr<const VisionLanguageModel> load_qwen2_5_vl(const std::filesystem::path& folder,
                                                           const nlohmann::json& config, at::Device device,
                                                           at::ScalarType dtype) {
  static const QwenVlGeneration kGeneration = {"qwen2_5_vl", "qwen2_5_vl_text",
                                               QwenVlVisionConfig::of_qwen2_5, kQwen2VlTemplate};
  return load_qwen_vl(folder, config, kGeneration, device, dtype);
}

}  // namespace hijack
