#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "models/checkpoint/weights.h"
#include "models/families/one_size_model.h"
#include "models/network/decoder.h"
#include "models/network/vision_tower.h"

namespace hijack {

class TowerFolder;

/// LLaVA and LLaVA-1.5 (Liu et al. 2023), `LlavaForConditionalGeneration`.
struct LlavaConfig {
  VisionConfig vision;
  DecoderConfig text;
  TokenId image_token = 32000;
  /// Hidden states of the tower that are read, side by side where several; -1 = after the last block.
  std::vector<int64_t> feature_layers = {-2};
  bool keep_class_token = false;  ///< select strategy "full"
  bool projector_bias = true;
  bool linear_projector = false;  ///< the first LLaVA: one linear layer
  Activation projector_activation = Activation::kGelu;

  static LlavaConfig from_json(const nlohmann::json& root);
  /// Blocks before the last feature layer: all that are run.
  int64_t vision_layers_used() const;
  int64_t image_tokens() const;
};

/// Tower, projector and decoder as functions of tensors: what training and inference share.
struct LlavaNetwork {
  LlavaNetwork(const LlavaConfig& config, const ParameterSource& source);
  /// Tower and projector from `source`, in front of a decoder that is there.
  LlavaNetwork(const LlavaConfig& config, const ParameterSource& source,
               std::shared_ptr<const Decoder> decoder);
  /// pixels [N,3,h,w] normalized -> [N,T_img,D]
  Tensor image_features(const Tensor& pixels) const;

  LlavaConfig config;
  VisionTower tower;
  Linear project1, project2;
  std::shared_ptr<const Decoder> decoder;
};

class Llava : public OneSizeModel {
 public:
  Llava(std::shared_ptr<const LlavaNetwork> network, std::shared_ptr<const Tokenizer> tokenizer,
        const ImageProcessor& processor, ReplyRules rules, std::shared_ptr<const ChatTemplate> chat,
        std::string image_text = "");

  std::string family() const override { return "llava"; }
  Tensor image_features(const Pixels& pixels) const override;
  TowerActivations tower_activations(const Pixels& pixels) const override;

 protected:
  TokenIds image_ids(const Pixels& pixels) const override;

 private:
  std::shared_ptr<const LlavaNetwork> network_;
};

/// model_type of a LLaVA's decoder.
std::string llava_text_type(const nlohmann::json& root);

/// The names that this version of the code uses (transformers 5) for the names of any version.
std::string canonical_llava_name(const std::string& stored);

/// The projector as LLaVA's own code names it -> multi_modal_projector; other names stay.
std::string llava_projector_name(const std::string& stored);

/// The files of a folder of LLaVA's kin but its config and processor.
struct LlavaFiles {
  std::filesystem::path folder;
  Weights weights;  ///< under this code's names
  ReplyRules rules;
  std::shared_ptr<const ChatTemplate> chat;
  std::string image_text = "";  ///< see ImagePromptModel; only where the tokenizer does not know it

  /// As transformers writes them, with `tower` in place of the folder's own, or nullptr.
  static LlavaFiles read(const std::filesystem::path& folder, const nlohmann::json& root,
                         const TowerFolder* tower, const PublishedTemplate& published);
  /// Leaves out weights that are never run, settles head and image token in the config; the tokenizer.
  std::shared_ptr<const Tokenizer> settle(LlavaConfig& config);
};
std::shared_ptr<const VisionLanguageModel> load_llava_parts(LlavaConfig config,
                                                            const ImageProcessor& processor, LlavaFiles files,
                                                            at::Device device, at::ScalarType dtype);

/// tower: takes the place of the folder's own, with its image processor (bars and crops stay the folder's),
/// or nullptr.
std::shared_ptr<const VisionLanguageModel> load_llava(const std::filesystem::path& folder,
                                                      const nlohmann::json& config, at::Device device,
                                                      at::ScalarType dtype, const TowerFolder* tower);

}  // namespace hijack
