#pragma once
#include <optional>

#include "models/encoders/text_side.h"
#include "models/image_encoder.h"
#include "models/network/vision_tower.h"
#include "models/preprocess/image_processor.h"

namespace hijack {

/// What CLIP, SigLIP and DINOv2 have in common: a vision tower behind an image processor of one size, and
/// perhaps a text side.
class TowerEncoder : public ImageEncoder {
 public:
  TowerEncoder(std::string family, const ImageProcessor& processor, VisionTower tower, at::Device device)
      : family_(std::move(family)), processor_(processor), tower_(std::move(tower)), device_(device) {}

  std::string family() const override { return family_; }
  /// The size that the processor does not scale: where it crops the middle out of a larger one (DINOv2's 224
  /// of 256), that larger one.
  ImageSpec image_spec() const override;
  at::Device device() const override { return device_; }
  EncodedImages encode(const Tensor& images) const override { return encode_pixels(preprocess(images)); }
  bool reads_text() const override { return text_side() != nullptr; }
  Tensor text_embedding(const std::string& text) const override;

  /// Photo [1,3,H,W] -> its part of image_spec's size.
  Tensor to_input_space(const Tensor& photo) const;
  /// Images in [0,1] -> [N,3,h,w], normalized.
  Tensor preprocess(const Tensor& images) const;
  virtual EncodedImages encode_pixels(const Tensor& pixels) const = 0;
  /// nullptr for an encoder of images alone.
  virtual const TextSide* text_side() const { return nullptr; }
  /// What the model's own loss compares, from embeddings [N,E] and [M,E]: [N,M]. Throws Error without text
  /// side.
  virtual Tensor logits_per_image(const Tensor& images, const Tensor& texts) const;

 protected:
  const VisionTower& tower() const { return tower_; }

 private:
  std::string family_;
  ImageProcessor processor_;
  VisionTower tower_;
  at::Device device_;
};

}  // namespace hijack
