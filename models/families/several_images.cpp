// ImagePromptModel on several images: their prompts side by side, as one image's are.
#include "models/families/image_prompt_model.h"
#include "models/prefix/images_at_once.h"

namespace hijack {
namespace {

/// What follows the images [begin, end) of `sizes` into the results of each.
template <class Result>
void share_out(std::vector<Result> flat, std::span<const ImageQueries> images,
               std::vector<std::vector<Result>>& all) {
  auto next = std::make_move_iterator(flat.begin());
  for (const ImageQueries& one : images) {
    const auto end = next + static_cast<std::ptrdiff_t>(one.queries.size());
    all.emplace_back(next, end);
    next = end;
  }
}

}  // namespace

std::vector<Tensor> ImagePromptModel::seen_of(std::span<const Pixels> images) const {
  std::vector<Tensor> all;
  for (const Pixels& one : images) all.push_back(seen(one));
  return all;
}

std::vector<Tensor> ImagePromptModel::seen_side_by_side(std::span<const Pixels> images) const {
  const auto shape = images[0].values.sizes().slice(1);
  std::vector<Tensor> views;
  std::vector<int64_t> counts;
  for (const Pixels& one : images) {
    if (one.values.sizes().slice(1) != shape) return ImagePromptModel::seen_of(images);
    views.push_back(one.values);
    counts.push_back(one.values.size(0));
  }
  const Pixels all{at::cat(views), images[0].image_height, images[0].image_width};
  // [1,T,D] of all views one after the other, or [V,T,D] of one view an image
  const Tensor seen = this->seen(all);
  const int64_t axis = seen.size(0) == 1 ? 1 : 0;
  const int64_t each = seen.size(axis) / all.values.size(0);
  for (int64_t& count : counts) count *= each;
  return seen.split_with_sizes(counts, axis);
}

std::vector<Prompt> ImagePromptModel::prompts_of(std::span<const ImageQueries> images) const {
  std::vector<Prompt> result;
  std::vector<Pixels> pixels;
  for (const ImageQueries& one : images) {
    for (const Query& query : one.queries) result.push_back(compiled(one.pixels, query));
    pixels.push_back(one.pixels);
  }
  const auto seen = seen_of(pixels);
  auto next = result.begin();
  for (size_t i = 0; i < images.size(); ++i)
    for (const Query& query : images[i].queries) (next++)->features = features_for(seen[i], query);
  return result;
}

int64_t ImagePromptModel::bytes_of(const ImageQueries& image, int64_t new_tokens) const {
  const DecoderConfig& c = decoder_->config();
  const int64_t size = embedding_options().dtype().itemsize(), keys = c.kv_heads * c.head_dim;
  const bool gradients = at::GradMode::is_enabled() && image.pixels.values.requires_grad();
  const auto queries = static_cast<int64_t>(image.queries.size());
  const int64_t alone = static_cast<int64_t>(input_ids(image.pixels, image.queries.front()).size());
  int64_t tokens = queries * alone, scores = queries;
  for (const TokenIds& target : image.targets) {
    tokens += static_cast<int64_t>(target.size());
    scores += static_cast<int64_t>(target.size());
  }
  const TowerActivations tower = tower_activations(image.pixels);
  const int64_t block = tokens * 2 * (c.width + c.heads * c.head_dim + keys + c.mlp_width);
  const int64_t passes = gradients ? tower.all + c.layers * block : tower.block + block;
  const int64_t cache = 2 * c.layers * keys * (tokens + queries * new_tokens);
  return size * (passes + cache) + 12 * scores * c.vocabulary;
}

size_t ImagePromptModel::together(std::span<const ImageQueries> images, int64_t new_tokens) const {
  if (images.size() == 1) return 1;
  size_t end = 0;
  int64_t most = 0;
  for (; end < images.size(); ++end) {
    const ImageQueries& one = images[end];
    if (!one.pixels.values.defined() || one.queries.empty()) break;  // asked alone
    most = std::max(most, bytes_of(one, new_tokens));
    if (end > 0 && static_cast<int64_t>(end) >= images_at_once(most)) break;
  }
  return std::max<size_t>(end, 1);
}

std::vector<std::vector<Tensor>> ImagePromptModel::logits_of_images(
    std::span<const ImageQueries> images) const {
  std::vector<std::vector<Tensor>> all;
  for (size_t begin = 0; begin < images.size();) {
    const auto some = images.subspan(begin, together(images.subspan(begin), 0));
    begin += some.size();
    if (some.size() == 1) {
      all.push_back(target_logits(some[0].pixels, some[0].queries, some[0].targets));
      continue;
    }
    std::vector<TokenIds> targets;
    for (const ImageQueries& one : some)
      targets.insert(targets.end(), one.targets.begin(), one.targets.end());
    share_out(shared_prefix_logits(*decoder_, prompts_of(some), targets, memo()), some, all);
  }
  return all;
}

std::vector<std::vector<Generated>> ImagePromptModel::replies_of_images(
    std::span<const ImageQueries> images, const GenerateOptions& options) const {
  const at::NoGradGuard no_gradients;
  std::vector<std::vector<Generated>> all;
  size_t asked = 0;
  for (size_t begin = 0; begin < images.size();) {
    const auto some = images.subspan(begin, together(images.subspan(begin), options.max_new_tokens));
    begin += some.size();
    size_t queries = 0;
    for (const ImageQueries& one : some) queries += one.queries.size();
    const GenerateOptions own = part_of(options, asked, queries);
    asked += queries;
    if (some.size() == 1)
      all.push_back(generate(some[0].pixels, some[0].queries, own));
    else
      share_out(shared_prefix_generate(*decoder_, prompts_of(some), *tokenizer_, rules_, own, memo()), some,
                all);
  }
  return all;
}

}  // namespace hijack
