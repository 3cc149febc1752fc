#pragma once
#include <filesystem>
#include <string>

#include "models/checkpoint/safetensors.h"
#include "models/families/llava.h"

namespace hijack {

/// Writes everything of a LLaVA folder but its weights around a text decoder's folder: config, processor, a
/// tokenizer in which `image_token`, an added token that nothing uses ("": the first such one), has become
/// "<image>", and the decoder's own chat template, which sees a message's image as that token before the text
/// of the part after it. Throws Error where no token is free.
void prepare_eye_folder(const std::filesystem::path& decoder, const std::string& image_token,
                        const std::filesystem::path& out);

/// The tower and projector in bfloat16, under the names of the checkpoint, as one file.
void write_eye(const TensorMap& values, const std::filesystem::path& file);

/// The weights of the folder in two shards with an index: the eye's (as write_eye rounds them), and the
/// decoder's as they are stored in its folder.
void write_eye_weights(const TensorMap& values, const std::filesystem::path& decoder,
                       const std::filesystem::path& out);

}  // namespace hijack
