#include "models/encoders/encoder_model.h"

#include "models/encoders/encoders.h"
#include "models/encoders/tower_encoder.h"
#include "src/base/error.h"
#include "src/base/registry.h"
#include "src/base/tensor_math.h"

namespace hijack {
namespace {

struct EncoderKind {
  const char* name;  ///< model_type of config.json
  std::shared_ptr<const TowerEncoder> (*load)(const std::filesystem::path&, const nlohmann::json&, at::Device,
                                              at::ScalarType);
};
// the one table of encoders
const Registry<EncoderKind> kEncoders("encoder", {{"clip", load_clip},
                                                  {"open_clip", load_clip},
                                                  {"siglip", load_siglip},
                                                  {"dinov2", load_dinov2}});

/// The image side of a vision-language model.
class ImageSide : public ImageEncoder {
 public:
  explicit ImageSide(std::shared_ptr<const VisionLanguageModel> model) : model_(std::move(model)) {}
  std::string family() const override { return model_->family(); }
  ImageSpec image_spec() const override { return model_->image_spec(); }
  at::Device device() const override { return model_->device(); }
  EncodedImages encode(const Tensor& images) const override {
    std::vector<Tensor> patches;
    for (const Tensor& image : images.split(1))
      patches.push_back(at_least_float(model_->image_features(model_->preprocess(image))));
    const Tensor all = at::cat(patches);  // [N,T,W]
    return {all.mean(1), all};
  }

 private:
  std::shared_ptr<const VisionLanguageModel> model_;
};

}  // namespace

EncoderModel::EncoderModel(std::shared_ptr<const TowerEncoder> encoder) : encoder_(std::move(encoder)) {}

std::string EncoderModel::family() const {
  return encoder_->family();
}

ImageSpec EncoderModel::image_spec() const {
  return encoder_->image_spec();
}

at::Device EncoderModel::device() const {
  return encoder_->device();
}

Tensor EncoderModel::to_input_space(const Tensor& image) const {
  const at::NoGradGuard no_gradients;
  return encoder_->to_input_space(image);
}

Pixels EncoderModel::preprocess(const Tensor& image) const {
  return {encoder_->preprocess(image), image.size(2), image.size(3)};
}

Tensor EncoderModel::image_features(const Pixels& pixels) const {
  return encoder_->encode_pixels(pixels.values).patches;
}

void EncoderModel::say_nothing() const {
  throw Error("this folder is an image encoder (" + family() +
              "), which has no language model to ask: attack it with --surrogate, or take a vision-language "
              "model");
}

std::shared_ptr<const VisionLanguageModel> load_encoder_model(const std::string& type,
                                                              const std::filesystem::path& folder,
                                                              const nlohmann::json& config, at::Device device,
                                                              at::ScalarType dtype) {
  return std::make_shared<EncoderModel>(kEncoders.at(type).load(folder, config, device, dtype));
}

std::vector<std::string> encoder_names() {
  return kEncoders.names();
}

bool is_encoder(const std::string& type) {
  return kEncoders.find(type) != nullptr;
}

std::shared_ptr<const ImageEncoder> encoder_of(const std::shared_ptr<const VisionLanguageModel>& model) {
  if (const auto* alone = dynamic_cast<const EncoderModel*>(model.get())) return alone->encoder();
  if (!model->takes_images())
    throw Error("a language model (" + model->family() + ") takes no images and is no image encoder");
  return std::make_shared<ImageSide>(model);
}

Tensor embedding_cosine(const Tensor& a, const Tensor& b) {
  return at::cosine_similarity(a, b, -1);
}

}  // namespace hijack
