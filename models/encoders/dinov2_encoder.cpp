#include "models/checkpoint/parameter_source.h"
#include "models/encoders/encoders.h"
#include "models/encoders/tower_encoder.h"
#include "src/base/error.h"
#include "src/base/tensor_math.h"

namespace hijack {
namespace {

class Dinov2Encoder : public TowerEncoder {
 public:
  Dinov2Encoder(const ImageProcessor& processor, VisionTower tower, at::Device device)
      : TowerEncoder("dinov2", processor, std::move(tower), device) {}

  EncodedImages encode_pixels(const Tensor& pixels) const override {
    const Tensor states = at_least_float(tower().forward(pixels));  // [N,1+T,W], behind the last norm
    return {states.select(1, 0), states.narrow(1, 1, states.size(1) - 1)};
  }
};

/// Names of the hub's files, and those of transformers' own network -> those of InternViT, which the tower
/// reads.
std::string dinov2_name(const std::string& stored) {
  static constexpr std::pair<const char*, const char*> kParts[] = {
      {".norm1.", ".layernorm_before."},
      {".norm2.", ".layernorm_after."},
      {".attention.attention.query.", ".attention.q_proj."},
      {".attention.attention.key.", ".attention.k_proj."},
      {".attention.attention.value.", ".attention.v_proj."},
      {".attention.output.dense.", ".attention.projection_layer."},
      {".attention.o_proj.", ".attention.projection_layer."},
      {".layer_scale1.lambda1", ".lambda_1"},
      {".layer_scale2.lambda1", ".lambda_2"},
      {".mlp.gate_proj.", ".mlp.gate."},
      {".mlp.up_proj.", ".mlp.fc1."},
      {".mlp.down_proj.", ".mlp.fc2."},
      {".mlp.weights_out.", ".mlp.fc2."}};
  std::string name = stored.starts_with("dinov2.") ? stored : "dinov2." + stored;
  if (name == "dinov2.embeddings.mask_token") return {};
  for (const auto& [from, to] : kParts)
    if (const size_t at = name.find(from); at != name.npos)
      return name.substr(0, at) + to + name.substr(at + std::string(from).size());
  return name;
}

/// The gate and what it multiplies lie in one matrix in the hub's files, the gate first.
TensorMap gate_apart(const TensorMap& stored, const std::string& where) {
  constexpr const char* kBoth = ".mlp.weights_in.";
  TensorMap tensors;
  for (const auto& [name, tensor] : stored) {
    const size_t at = name.find(kBoth);
    if (at == name.npos) {
      tensors.emplace(name, tensor);
      continue;
    }
    if (tensor.dim() < 1 || tensor.size(0) % 2 != 0)
      throw Error(where + ": " + name.substr(0, 100) + " is not a gate and its values in one");
    const auto halves = tensor.chunk(2);
    const std::string front = name.substr(0, at), back = name.substr(at + std::string(kBoth).size());
    tensors.emplace(front + ".mlp.gate_proj." + back, halves[0]);
    tensors.emplace(front + ".mlp.up_proj." + back, halves[1]);
  }
  return tensors;
}

}  // namespace

std::shared_ptr<const TowerEncoder> load_dinov2(const std::filesystem::path& folder,
                                                const nlohmann::json& config, at::Device device,
                                                at::ScalarType dtype) {
  const VisionConfig vision = VisionConfig::from_json(config);
  const ImageProcessor processor = ImageProcessor::from_folder(folder);
  if (std::min(processor.output_height(), processor.output_width()) < vision.patch_size)
    throw Error(folder.string() + ": its image processor makes images smaller than a patch");
  Weights weights(folder);
  if (config.value("use_swiglu_ffn", nlohmann::json()) == true && !weights.tensors().empty())
    weights = Weights(gate_apart(weights.tensors(), folder.string()), folder.string());
  weights.rename(dinov2_name);
  VisionTower tower(vision, frozen_source(weights, device, dtype), "dinov2", vision.layers);
  weights.finish();
  return std::make_shared<Dinov2Encoder>(processor, std::move(tower), device);
}

}  // namespace hijack
