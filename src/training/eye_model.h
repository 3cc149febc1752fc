#pragma once
#include <filesystem>
#include <memory>

#include "models/families/llava.h"
#include "src/training/parameters.h"

namespace hijack {

/// A LLaVA model whose tower and projector are trained and whose decoder is another folder's, frozen.
struct EyeModel {
  /// folder: as prepare_eye_folder wrote it. Values of `parameters` may change later: the model sees them.
  EyeModel(const std::filesystem::path& decoder, const std::filesystem::path& folder, Parameters& parameters,
           at::Device device);

  std::shared_ptr<const LlavaNetwork> network;
  std::shared_ptr<const Llava> model;
  std::shared_ptr<const ChatTemplate> chat;

  /// Token ids of the query's prompt without image.
  TokenIds text_ids(const Query& query) const;
};

/// The tensors of a safetensors file or a model folder. Throws Error where none is of a tower.
TensorMap read_eye(const std::filesystem::path& from);

/// Takes over, under equal names, what fits into `parameters`. Returns whether the projector was among it;
/// throws Error where nothing was, which speaks of `from`.
bool start_from(Parameters& parameters, const TensorMap& stored, const std::filesystem::path& from);

}  // namespace hijack
