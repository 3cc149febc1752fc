#include "models/encoders/tower_encoder.h"

#include "src/base/error.h"

namespace hijack {

ImageSpec TowerEncoder::image_spec() const {
  return {std::max(processor_.output_height(), processor_.do_resize ? processor_.shortest_edge : 0),
          std::max(processor_.output_width(), processor_.do_resize ? processor_.shortest_edge : 0)};
}

Tensor TowerEncoder::to_input_space(const Tensor& photo) const {
  const auto [height, width] = image_spec();
  ImageProcessor whole = processor_;
  if (whole.do_center_crop) whole.crop_height = height, whole.crop_width = width;
  return whole.geometry(photo);
}

Tensor TowerEncoder::preprocess(const Tensor& images) const {
  return processor_.normalize(processor_.geometry(images)).to(device_);
}

Tensor TowerEncoder::text_embedding(const std::string& text) const {
  const TextSide* side = text_side();
  return side ? side->embedding(side->ids(text), device_) : ImageEncoder::text_embedding(text);
}

Tensor TowerEncoder::logits_per_image(const Tensor&, const Tensor&) const {
  throw Error("an image encoder of the family " + family_ + " compares no images with texts");
}

Tensor unit_rows(const Tensor& x) {
  return x / x.norm(2, {-1}, /*keepdim=*/true).clamp_min(1e-12);
}

Tensor ImageEncoder::text_embedding(const std::string&) const {
  throw Error("an image encoder of the family " + family() +
              " reads no text: name a picture with --feature-image, or take CLIP or SigLIP encoders");
}

}  // namespace hijack
