#include "models/checkpoint/parameter_source.h"
#include "models/encoders/encoders.h"
#include "models/encoders/tower_encoder.h"
#include "models/families/processor_match.h"
#include "models/families/tower_folder.h"
#include "models/network/attention.h"
#include "src/base/error.h"
#include "src/base/tensor_math.h"

namespace hijack {
namespace {

using nlohmann::json;

/// A learned query that looks at all patches, and an MLP.
class PoolingHead {
 public:
  PoolingHead(const VisionConfig& vision, const ParameterSource& source, const std::string& name)
      : probe_(source(name + "probe", {1, 1, vision.width})),
        input_(source(name + "attention.in_proj_weight", {3 * vision.width, vision.width}),
               source(name + "attention.in_proj_bias", {3 * vision.width}), source.autocast),
        output_(source, name + "attention.out_proj", vision.width, vision.width, /*with_bias=*/true),
        norm_(source, name + "layernorm", vision.width, vision.epsilon),
        up_(source, name + "mlp.fc1", vision.width, vision.mlp_width, /*with_bias=*/true),
        down_(source, name + "mlp.fc2", vision.mlp_width, vision.width, /*with_bias=*/true),
        heads_(vision.heads),
        activation_(vision.activation) {}

  /// [N,T,W] -> [N,W]
  Tensor operator()(const Tensor& states) const {
    const int64_t width = probe_.size(2);
    const auto part = [&](int64_t which, const Tensor& x) {
      return split_heads(input_.rows(which * width, width)(x), heads_);
    };
    const Tensor probe = probe_.to(states.scalar_type()).expand({states.size(0), 1, width});
    const Tensor read = attention(part(0, probe), part(1, states), part(2, states), {}, /*causal=*/false);
    const Tensor x = output_(merge_heads(read));
    return (x + down_(activate(activation_, up_(norm_(x))))).select(1, 0);
  }

 private:
  Tensor probe_;
  Linear input_, output_;
  LayerNorm norm_;
  Linear up_, down_;
  int64_t heads_;
  Activation activation_;
};

/// Everything but the vision tower.
struct SiglipParts {
  LayerNorm post_norm;
  PoolingHead head;
  TextSide text;
  Tensor logit_scale, logit_bias;
};

class SiglipEncoder : public TowerEncoder {
 public:
  SiglipEncoder(const ImageProcessor& processor, VisionTower tower, std::unique_ptr<const SiglipParts> parts,
                at::Device device)
      : TowerEncoder("siglip", processor, std::move(tower), device), parts_(std::move(parts)) {}

  EncodedImages encode_pixels(const Tensor& pixels) const override {
    const Tensor states = parts_->post_norm(tower().forward(pixels));  // [N,T,W]
    return {at_least_float(parts_->head(states)), at_least_float(states)};
  }
  const TextSide* text_side() const override { return &parts_->text; }
  Tensor logits_per_image(const Tensor& images, const Tensor& texts) const override {
    return unit_rows(images).matmul(unit_rows(texts).t()) * parts_->logit_scale.to(at::kFloat).exp() +
           parts_->logit_bias.to(at::kFloat);
  }

 private:
  std::unique_ptr<const SiglipParts> parts_;
};

}  // namespace

std::shared_ptr<const TowerEncoder> load_siglip(const std::filesystem::path& folder, const json& root,
                                                at::Device device, at::ScalarType dtype) {
  const TowerFolder files(folder);
  const json shown = files.vision_config(json());
  const VisionConfig vision = VisionConfig::from_json(shown);
  if (shown.value("vision_use_head", true) != true)
    throw Error(folder.string() + ": a SigLIP without pooling head (vision_use_head false) has no embedding");
  const json text =
      root.contains("text_config") && root["text_config"].is_object() ? root["text_config"] : json::object();
  if (text.contains("projection_size") && text["projection_size"].is_number_integer() &&
      text["projection_size"] != vision.width)
    throw Error(folder.string() + ": projection_size of text_config is not the width of the image side");
  const ImageProcessor processor = files.processor();
  check_view(folder, vision, processor.output_height(), processor.output_width());
  Weights weights(folder);
  weights.rename(
      [](const std::string& name) { return name.ends_with(".position_ids") ? std::string() : name; });
  const ParameterSource source = frozen_source(weights, device, dtype);
  VisionTower tower(vision, source, "vision_model", vision.layers);
  std::unique_ptr<const SiglipParts> parts(
      new SiglipParts{LayerNorm(source, "vision_model.post_layernorm", vision.width, vision.epsilon),
                      PoolingHead(vision, source, "vision_model.head."),
                      TextSide(text, /*siglip=*/true, vision.width, source, folder),
                      source("logit_scale", {1}), source("logit_bias", {1})});
  weights.finish();
  return std::make_shared<SiglipEncoder>(processor, std::move(tower), std::move(parts), device);
}

}  // namespace hijack
