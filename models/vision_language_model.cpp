#include "models/vision_language_model.h"

namespace hijack {

std::vector<std::vector<Tensor>> VisionLanguageModel::logits_of_images(
    std::span<const ImageQueries> images) const {
  std::vector<std::vector<Tensor>> all;
  for (const ImageQueries& one : images) all.push_back(target_logits(one.pixels, one.queries, one.targets));
  return all;
}

std::vector<std::vector<Generated>> VisionLanguageModel::replies_of_images(
    std::span<const ImageQueries> images, const GenerateOptions& options) const {
  std::vector<std::vector<Generated>> all;
  size_t begin = 0;
  for (const ImageQueries& one : images) {
    all.push_back(generate(one.pixels, one.queries, part_of(options, begin, one.queries.size())));
    begin += one.queries.size();
  }
  return all;
}

}  // namespace hijack
