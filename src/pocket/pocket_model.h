#pragma once
#include <filesystem>
#include <string>

#include "models/families/llava.h"

namespace hijack {

/// The shape of the shipped model: CLIP-style tower 112x112, patch 14, and a Llama decoder.
LlavaConfig pocket_config();

/// Writes the Hugging Face folder of a trained network (config, processor, tokenizer, chat template,
/// safetensors in bf16), each file through a temporary name.
void write_pocket_folder(const TensorMap& weights, const std::string& tokenizer_json,
                         const std::filesystem::path& folder);

/// mean and std of CLIP, as float32 [1,3,1,1].
Tensor pocket_mean(at::Device device);
Tensor pocket_std(at::Device device);

}  // namespace hijack
