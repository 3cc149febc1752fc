#pragma once
#include <memory>
#include <string>

#include "models/vision_language_model.h"

// Shapes: N images, T patch tokens, W their width, E width of the embedding.

namespace hijack {

/// What an encoder makes of images. float32, differentiable; nothing is normalized to length one.
struct EncodedImages {
  Tensor embedding;  ///< [N,E]
  Tensor patches;    ///< [N,T,W], without a class token
};

/// A network that turns images, some also texts, into vectors that are compared by their cosine: CLIP,
/// SigLIP, DINOv2, or the image side of a vision-language model. Weights are frozen.
class ImageEncoder {
 public:
  virtual ~ImageEncoder() = default;
  virtual std::string family() const = 0;
  virtual ImageSpec image_spec() const = 0;
  virtual at::Device device() const = 0;
  /// Images [N,3,H,W] in [0,1] of any size, through the encoder's own resize and normalization.
  virtual EncodedImages encode(const Tensor& images) const = 0;
  /// Whether texts have embeddings, which live where those of images do.
  virtual bool reads_text() const { return false; }
  /// [1,E]. Throws Error where the encoder reads no text, and for a text that is too long for it.
  virtual Tensor text_embedding(const std::string& text) const;
};

/// The encoder in a model: itself for a folder that is nothing else; of a vision-language model its image
/// side, whose patches are the image tokens that the decoder reads and whose embedding is their mean. Throws
/// Error for a model without images.
std::shared_ptr<const ImageEncoder> encoder_of(const std::shared_ptr<const VisionLanguageModel>& model);

/// Rows of length one.
Tensor unit_rows(const Tensor& x);
/// cosine of the embeddings a [N,E] and b [N,E] or [1,E] -> [N]
Tensor embedding_cosine(const Tensor& a, const Tensor& b);

}  // namespace hijack
