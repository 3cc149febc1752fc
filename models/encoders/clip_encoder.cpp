#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/encoders/encoders.h"
#include "models/encoders/open_clip_folder.h"
#include "models/encoders/tower_encoder.h"
#include "models/families/processor_match.h"
#include "models/families/tower_folder.h"
#include "src/base/tensor_math.h"

namespace hijack {
namespace {

using nlohmann::json;

/// Everything but the vision tower.
struct ClipParts {
  LayerNorm post_norm;
  Linear projection;
  TextSide text;
  Tensor logit_scale;
};

class ClipEncoder : public TowerEncoder {
 public:
  ClipEncoder(const ImageProcessor& processor, VisionTower tower, std::unique_ptr<const ClipParts> parts,
              at::Device device)
      : TowerEncoder("clip", processor, std::move(tower), device), parts_(std::move(parts)) {}

  EncodedImages encode_pixels(const Tensor& pixels) const override {
    const Tensor states = tower().forward(pixels);  // [N,1+T,W]
    const Tensor pooled = parts_->post_norm(states.select(1, 0));
    return {at_least_float(parts_->projection(pooled)),
            at_least_float(states.narrow(1, 1, states.size(1) - 1))};
  }
  const TextSide* text_side() const override { return &parts_->text; }
  Tensor logits_per_image(const Tensor& images, const Tensor& texts) const override {
    return unit_rows(images).matmul(unit_rows(texts).t()) * parts_->logit_scale.to(at::kFloat).exp();
  }

 private:
  std::unique_ptr<const ClipParts> parts_;
};

/// `text_config` of config.json; old files have it twice.
json text_config(const json& root) {
  json text = root.value("text_config", json::object());
  if (!text.is_object()) text = json::object();
  if (root.contains("text_config_dict") && root["text_config_dict"].is_object())
    text.update(root["text_config_dict"]);
  return text;
}

}  // namespace

std::shared_ptr<const TowerEncoder> load_clip(const std::filesystem::path& folder, const json& given,
                                              at::Device device, at::ScalarType dtype) {
  const TowerFolder files(folder);
  const auto open_clip =
      given.is_null() ? std::optional(OpenClipFolder(files.open_clip(), folder)) : std::nullopt;
  const json root = open_clip ? open_clip->config() : given;
  const VisionConfig vision = VisionConfig::from_json(files.vision_config(json()));
  const ImageProcessor processor = files.processor();
  check_view(folder, vision, processor.output_height(), processor.output_width());
  Weights weights = open_clip ? Weights(open_clip->tensors(), folder.string()) : Weights(folder);
  weights.rename(
      [](const std::string& name) { return name.ends_with(".position_ids") ? std::string() : name; });
  const ParameterSource source = frozen_source(weights, device, dtype);
  const int64_t width = ConfigReader(root, "root").integer("projection_dim", 512);
  VisionTower tower(vision, source, "vision_model", vision.layers);
  std::unique_ptr<const ClipParts> parts(new ClipParts{
      LayerNorm(source, "vision_model.post_layernorm", vision.width, vision.epsilon),
      Linear(source, "visual_projection", vision.width, width, /*with_bias=*/false),
      TextSide(text_config(root), /*siglip=*/false, width, source, folder), source("logit_scale", {})});
  weights.finish();
  return std::make_shared<ClipEncoder>(processor, std::move(tower), std::move(parts), device);
}

}  // namespace hijack
