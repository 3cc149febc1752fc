#include "models/families/anyres_model.h"

#include <cmath>

#include "models/checkpoint/parameter_source.h"
#include "src/base/error.h"

namespace hijack {
namespace {

using Size = AnyresProcessor::Size;

/// Python's int(round(x, 7)) for x >= 0.
int64_t nearly_truncated(double x) {
  return static_cast<int64_t>(std::floor(x + 5e-8));
}

/// Python's int(a // b) for floats, whose remainder is exact.
int64_t floor_division(double a, double b) {
  return static_cast<int64_t>(std::round((a - std::fmod(a, b)) / b));
}

}  // namespace

AnyresConfig::Layout AnyresConfig::layout(const Size& image) const {
  const Size pixels = select_resolution(resolutions, image);
  const int64_t tile = llava.vision.image_size, side = patches_per_side();
  Layout result;
  const Size filled{pixels.height / tile * side, pixels.width / tile * side};
  const auto height = static_cast<double>(image.height), width = static_cast<double>(image.width);
  const auto rows = static_cast<double>(filled.height), columns = static_cast<double>(filled.width);
  result.filled = result.unpadded = filled;
  if (width / height > columns / rows) {
    result.top = (filled.height - nearly_truncated(height * (columns / width))) / 2;
    result.unpadded.height -= 2 * result.top;
  } else {
    result.left = (filled.width - nearly_truncated(width * (rows / height))) / 2;
    result.unpadded.width -= 2 * result.left;
  }
  result.scaled = result.unpadded;
  if (max_views == 0) return result;
  const double scale = std::sqrt(static_cast<double>(result.unpadded.height * result.unpadded.width) /
                                 static_cast<double>(max_views * side * side));
  if (scale <= 1.1) return result;  // which may be no column at all, only the ends of its rows
  result.scaled = {floor_division(static_cast<double>(result.unpadded.height), scale),
                   floor_division(static_cast<double>(result.unpadded.width), scale)};
  if (result.scaled.height < 1 || result.scaled.width < 1)
    throw Error("an image of " + std::to_string(image.width) + "x" + std::to_string(image.height) +
                " pixels is too long and thin for this model; crop it first");
  return result;
}

void AnyresConfig::check_features() const {
  const int64_t side = patches_per_side();
  if (llava.image_tokens() != side * side)
    throw Error(
        "config.json: vision_feature_select_strategy must drop the class token of a tower that has one, and "
        "nothing of one that has none");
}

AnyresNetwork::AnyresNetwork(const AnyresConfig& c, const ParameterSource& source)
    : config(c), llava(c.llava, source), newline(source("image_newline", {c.llava.text.width})) {}

Tensor AnyresNetwork::image_features(const Tensor& pixels, const Size& image) const {
  return arranged(llava.image_features(pixels), image);
}

Tensor AnyresNetwork::arranged(const Tensor& views, const Size& image) const {
  const Tensor whole = views[0];
  const Tensor end = newline.to(views.scalar_type()).unsqueeze(0);  // [1,D]
  if (views.size(0) == 1) return at::cat({whole, end}, 0).unsqueeze(0);
  const auto layout = config.layout(image);
  const int64_t side = config.patches_per_side(), rows = layout.filled.height / side;
  Tensor picture = views.narrow(0, 1, views.size(0) - 1)
                       .reshape({rows, -1, side, side, views.size(2)})
                       .permute({4, 0, 2, 1, 3})
                       .flatten(1, 2)
                       .flatten(2, 3)  // [D, rows*n, columns*n]
                       .narrow(1, layout.top, layout.unpadded.height)
                       .narrow(2, layout.left, layout.unpadded.width);
  if (!(layout.scaled == layout.unpadded))
    picture = at::upsample_bilinear2d(picture.unsqueeze(0), {layout.scaled.height, layout.scaled.width},
                                      /*align_corners=*/false)
                  .squeeze(0);
  const Tensor ends = end.t().unsqueeze(1).expand({-1, layout.scaled.height, 1});  // [D,h,1]
  const Tensor lines = at::cat({picture, ends}, 2).flatten(1, 2).transpose(0, 1);
  return at::cat({whole, lines}, 0).unsqueeze(0);
}

AnyresModel::AnyresModel(std::string family, std::shared_ptr<const AnyresNetwork> network,
                         std::shared_ptr<const Tokenizer> tokenizer, const AnyresProcessor& processor,
                         ReplyRules rules, std::shared_ptr<const ChatTemplate> chat, std::string image_text)
    : ImagePromptModel(network->llava.decoder, std::move(tokenizer), network->config.llava.image_token,
                       std::move(rules), std::move(chat), std::move(image_text)),
      family_(std::move(family)),
      network_(std::move(network)),
      processor_(processor) {
  TORCH_CHECK(processor_.tile == network_->config.llava.vision.image_size, "see check_view");
}

ImageSpec AnyresModel::image_spec() const {
  const Size size = processor_.fitted({processor_.tile, processor_.tile});
  return {size.height, size.width};
}

Tensor AnyresModel::to_input_space(const Tensor& image) const {
  const at::NoGradGuard no_gradients;
  return processor_.fit(image);
}

Pixels AnyresModel::preprocess(const Tensor& image) const {
  const Size size{image.size(2), image.size(3)};
  if (!processor_.one_view &&
      !(processor_.best_resolution(size) == select_resolution(network_->config.resolutions, size)))
    throw Error(
        "image_grid_pinpoints of the image processor and of config.json differ in what fits this image; the "
        "files do not belong together");
  return {processor_.normalize(processor_.views(image)).to(device()), image.size(2), image.size(3)};
}

Tensor AnyresModel::image_features(const Pixels& pixels) const {
  return network_->image_features(pixels.values, {pixels.image_height, pixels.image_width});
}

std::vector<Tensor> AnyresModel::seen_of(std::span<const Pixels> images) const {
  std::vector<Tensor> views;  // of all images one size
  std::vector<int64_t> counts;
  for (const Pixels& one : images) views.push_back(one.values), counts.push_back(one.values.size(0));
  const auto features = network_->llava.image_features(at::cat(views)).split_with_sizes(counts);
  std::vector<Tensor> all;
  for (size_t i = 0; i < images.size(); ++i)
    all.push_back(network_->arranged(features[i], {images[i].image_height, images[i].image_width}));
  return all;
}

TowerActivations AnyresModel::tower_activations(const Pixels& pixels) const {
  const LlavaConfig& config = network_->config.llava;
  const int64_t tokens = config.vision.patches() + (config.vision.class_token ? 1 : 0);
  return TowerActivations::of(config.vision_layers_used(), pixels.values.size(0) * tokens,
                              config.vision.width, config.vision.mlp_width);
}

std::shared_ptr<const VisionLanguageModel> AnyresModel::with_one_view() const {
  const bool square = processor_.one_view_kind == AnyresProcessor::OneView::kSquare;
  if (square && (!processor_.resizes || !processor_.normalizes))
    throw Error("one view needs do_resize and do_normalize of the image processor; leave --views at all");
  auto one = std::make_shared<AnyresModel>(*this);
  one->processor_.one_view = true;
  return one;
}

TokenIds AnyresModel::end_of_reply() const {
  const auto end = tokenizer().token_to_id("<|im_end|>");
  return end ? TokenIds{*end} : ImagePromptModel::end_of_reply();
}

TokenIds AnyresModel::image_ids(const Pixels& pixels) const {
  int64_t count = network_->config.llava.image_tokens();
  if (processor_.one_view || (pixels.values.defined() && pixels.values.size(0) == 1)) {
    ++count;
  } else {
    const auto layout = network_->config.layout({pixels.image_height, pixels.image_width});
    count += layout.scaled.height * (layout.scaled.width + 1);
  }
  return TokenIds(static_cast<size_t>(count), image_token());
}

std::shared_ptr<const VisionLanguageModel> load_anyres(AnyresParts parts, at::Device device,
                                                       at::ScalarType dtype) {
  LlavaConfig& llava = parts.config.llava;
  LlavaFiles& files = parts.files;
  auto tokenizer = files.settle(llava);
  auto network =
      std::make_shared<const AnyresNetwork>(parts.config, frozen_source(files.weights, device, dtype));
  files.weights.finish();
  return std::make_shared<AnyresModel>(parts.family, std::move(network), std::move(tokenizer),
                                       parts.processor, files.rules, files.chat, files.image_text);
}

}  // namespace hijack
