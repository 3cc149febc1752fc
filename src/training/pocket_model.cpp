#include "src/training/pocket_model.h"

#include <nlohmann/json.hpp>

#include "models/chat_template/published.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/pocket/bpe_trainer.h"
#include "src/pocket/scene.h"

namespace hijack {
namespace {

const std::vector<double> kMean = {0.48145466, 0.4578275, 0.40821073};
const std::vector<double> kStd = {0.26862954, 0.26130258, 0.27577711};

nlohmann::json text_config(const DecoderConfig& c) {
  return {{"model_type", "llama"},
          {"vocab_size", c.vocabulary},
          {"hidden_size", c.width},
          {"num_hidden_layers", c.layers},
          {"num_attention_heads", c.heads},
          {"num_key_value_heads", c.kv_heads},
          {"head_dim", c.head_dim},
          {"intermediate_size", c.mlp_width},
          {"max_position_embeddings", c.max_positions},
          {"rms_norm_eps", c.epsilon},
          {"rope_parameters", {{"rope_theta", c.rope_theta}, {"rope_type", "default"}}},
          {"hidden_act", "silu"},
          {"attention_bias", false},
          {"tie_word_embeddings", false},
          {"pad_token_id", kPadToken},
          {"bos_token_id", kBosToken},
          {"eos_token_id", kEosToken}};
}

nlohmann::json vision_config(const VisionConfig& c) {
  return {{"model_type", "clip_vision_model"}, {"image_size", c.image_size},
          {"patch_size", c.patch_size},        {"hidden_size", c.width},
          {"num_hidden_layers", c.layers},     {"num_attention_heads", c.heads},
          {"intermediate_size", c.mlp_width},  {"layer_norm_eps", c.epsilon},
          {"hidden_act", "quick_gelu"},        {"projection_dim", c.width}};
}

nlohmann::json processor_json() {
  return {{"image_processor_type", "CLIPImageProcessor"},
          {"do_convert_rgb", true},
          {"do_resize", true},
          {"size", {{"shortest_edge", kSceneSide}}},
          {"resample", 3},
          {"do_center_crop", true},
          {"crop_size", {{"height", kSceneSide}, {"width", kSceneSide}}},
          {"do_rescale", true},
          {"rescale_factor", 1.0 / 255},
          {"do_normalize", true},
          {"image_mean", kMean},
          {"image_std", kStd},
          {"processor_class", "LlavaProcessor"}};
}

}  // namespace

VisionConfig eye_vision_config() {
  return {.image_size = kSceneSide,
          .patch_size = kScenePatch,
          .width = 192,
          .layers = 4,
          .heads = 3,
          .mlp_width = 512};
}

nlohmann::json llava_config_json(const VisionConfig& vision, TokenId image_token) {
  return {{"architectures", {"LlavaForConditionalGeneration"}},
          {"model_type", "llava"},
          {"dtype", "bfloat16"},
          {"image_token_index", image_token},
          {"image_seq_length", vision.patches()},
          {"multimodal_projector_bias", true},
          {"projector_hidden_act", "gelu"},
          {"tie_word_embeddings", false},
          {"vision_feature_layer", -1},
          {"vision_feature_select_strategy", "default"},
          {"vision_config", vision_config(vision)}};
}

LlavaConfig pocket_config() {
  LlavaConfig config;
  config.vision = eye_vision_config();
  config.text = {.vocabulary = kPocketVocabulary,
                 .width = 256,
                 .layers = 4,
                 .heads = 4,
                 .kv_heads = 4,
                 .head_dim = 64,
                 .mlp_width = 640,
                 .max_positions = 512,
                 .epsilon = 1e-5};
  config.image_token = kImageToken;
  config.feature_layers = {-1};
  return config;
}

Tensor pocket_mean(at::Device device) {
  return at::tensor(kMean, at::kFloat).view({1, 3, 1, 1}).to(device);
}
Tensor pocket_std(at::Device device) {
  return at::tensor(kStd, at::kFloat).view({1, 3, 1, 1}).to(device);
}

void write_json(const std::filesystem::path& file, const nlohmann::json& json) {
  write_file(file, json.dump(2) + "\n");
}

void create_model_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) throw Error("cannot create " + folder.string() + ": " + failed.message());
}

void write_processor_files(const std::filesystem::path& folder) {
  write_json(folder / "preprocessor_config.json", processor_json());
  write_json(folder / "processor_config.json", {{"processor_class", "LlavaProcessor"},
                                                {"image_token", "<image>"},
                                                {"num_additional_image_tokens", 1},
                                                {"patch_size", kScenePatch},
                                                {"vision_feature_select_strategy", "default"}});
}

void add_post_norm(TensorMap& weights, int64_t width) {
  weights["vision_tower.post_layernorm.weight"] = at::ones({width}, at::kBFloat16);
  weights["vision_tower.post_layernorm.bias"] = at::zeros({width}, at::kBFloat16);
}

void write_pocket_folder(const TensorMap& weights, const std::string& tokenizer_json,
                         const std::filesystem::path& folder) {
  create_model_folder(folder);
  const LlavaConfig shape = pocket_config();
  nlohmann::json config = llava_config_json(shape.vision, kImageToken);
  config["text_config"] = text_config(shape.text);
  write_json(folder / "config.json", config);
  write_processor_files(folder);
  write_json(folder / "tokenizer_config.json", {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                                {"bos_token", "<s>"},
                                                {"eos_token", "</s>"},
                                                {"pad_token", "<pad>"},
                                                {"image_token", "<image>"},
                                                {"extra_special_tokens", {{"image_token", "<image>"}}},
                                                {"model_max_length", shape.text.max_positions},
                                                {"clean_up_tokenization_spaces", false},
                                                {"processor_class", "LlavaProcessor"}});
  write_json(folder / "generation_config.json",
             {{"bos_token_id", kBosToken}, {"eos_token_id", kEosToken}, {"pad_token_id", kPadToken}});
  write_file(folder / "chat_template.jinja", kLlavaTemplate.text);
  write_file(folder / "tokenizer.json", tokenizer_json);
  TensorMap rounded;
  for (const auto& [name, value] : weights) rounded[name] = value.detach().cpu().to(at::kBFloat16);
  add_post_norm(rounded, shape.vision.width);
  save_safetensors(rounded, folder / "model.safetensors", {{"format", "pt"}});
}

}  // namespace hijack
