#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "models/checkpoint/safetensors.h"
#include "models/families/image_prompt_model.h"
#include "models/network/decoder.h"
#include "models/network/vision_tower.h"
#include "models/preprocess/tile_processor.h"

namespace hijack {

/// Idefics3 (Laurençon et al. 2024) and SmolVLM (Marafioti et al. 2025): `idefics3`, `smolvlm`.
struct Idefics3Config {
  VisionConfig vision;
  DecoderConfig text;
  TokenId image_token = 128257;
  int64_t scale_factor = 2;  ///< pixel shuffle: this many patches a side become one token

  static Idefics3Config from_json(const nlohmann::json& root);
  /// Tokens of a view of side x side pixels. Throws Error when its patches do not divide by the scale.
  int64_t tokens_per_view(int64_t side) const;
};

/// Tower, pixel shuffle, projection and decoder.
struct Idefics3Network {
  Idefics3Network(const Idefics3Config& config, const ParameterSource& source);
  /// pixels [views,3,s,s] normalized -> [1, views*T, D]
  Tensor image_features(const Tensor& pixels) const;

  Idefics3Config config;
  VisionTower tower;
  Linear projection;
  std::shared_ptr<const Decoder> decoder;
};

/// An image is one view (when `size.longest_edge` is the tile's side), or tiles and a view of the whole: then
/// the input space is the image that is cut, whose size depends on the photo's proportions.
class Idefics3 : public ImagePromptModel {
 public:
  Idefics3(std::string family, std::shared_ptr<const Idefics3Network> network,
           std::shared_ptr<const Tokenizer> tokenizer, const TileProcessor& processor, ReplyRules rules,
           std::shared_ptr<const ChatTemplate> chat);

  std::string family() const override { return family_; }
  /// Of a square photo.
  ImageSpec image_spec() const override;
  Tensor to_input_space(const Tensor& image) const override;
  Pixels preprocess(const Tensor& image) const override;
  Tensor image_features(const Pixels& pixels) const override;
  TowerActivations tower_activations(const Pixels& pixels) const override;
  /// As do_image_splitting false.
  std::shared_ptr<const VisionLanguageModel> with_one_view() const override;
  TokenIds end_of_reply() const override;

 protected:
  TokenIds image_ids(const Pixels& pixels) const override;
  std::vector<Tensor> seen_of(std::span<const Pixels> images) const override {
    return seen_side_by_side(images);
  }

 private:
  std::string family_;
  std::shared_ptr<const Idefics3Network> network_;
  TileProcessor processor_;
};

/// Both model types.
std::shared_ptr<const VisionLanguageModel> load_idefics3(const std::filesystem::path& folder,
                                                         const nlohmann::json& config, at::Device device,
                                                         at::ScalarType dtype);

}  // namespace hijack
