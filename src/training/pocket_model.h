#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/families/llava.h"

namespace hijack {

/// The shape of the shipped model: CLIP-style tower 112x112, patch 14, and a Llama decoder.
LlavaConfig pocket_config();

/// The tower that the pocket model and trained eyes have: CLIP style, 112x112, patch 14, 192 wide.
VisionConfig eye_vision_config();

/// config.json of a LLaVA folder with this tower, without its text_config.
nlohmann::json llava_config_json(const VisionConfig& vision, TokenId image_token);
/// Indented, with a line feed at the end, through a temporary name.
void write_json(const std::filesystem::path& file, const nlohmann::json& json);
/// Throws Error where it cannot be made.
void create_model_folder(const std::filesystem::path& folder);
/// preprocessor_config.json and processor_config.json for that tower.
void write_processor_files(const std::filesystem::path& folder);
/// The tower's last norm, never run (the feature layer comes before it), but part of the class in
/// transformers.
void add_post_norm(TensorMap& weights, int64_t width);

/// Writes the Hugging Face folder of a trained network (config, processor, tokenizer, chat template,
/// safetensors in bf16), each file through a temporary name.
void write_pocket_folder(const TensorMap& weights, const std::string& tokenizer_json,
                         const std::filesystem::path& folder);

/// mean and std of CLIP, as float32 [1,3,1,1].
Tensor pocket_mean(at::Device device);
Tensor pocket_std(at::Device device);

}  // namespace hijack
