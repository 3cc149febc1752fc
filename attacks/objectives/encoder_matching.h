#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "attacks/objective.h"
#include "attacks/objectives/random_views.h"
#include "attacks/objectives/surrogate_choice.h"
#include "models/image_encoder.h"

namespace hijack {

/// Image encoders that an attack works on in place of a language model, and how it sees image and target.
struct SurrogateConfig {
  std::vector<std::string> folders = {};
  std::vector<std::string> held_out = {};
  std::string source_crop = {};
  int64_t crops = 1;
  std::string target_crop = {};
  double target_rotation = 0;
  std::vector<std::string> auxiliary_images = {};
  double auxiliary_weight = .3;
  int64_t clusters = 10;
  std::string weights = "equal";
  SurrogateChoiceConfig choice = {};

  bool any() const { return !folders.empty(); }

  template <class Visitor>
  void visit(Visitor&& field) {
    field("surrogate", folders,
          "folders of image encoders (CLIP, SigLIP, DINOv2, open_clip; the image side of a vision-language "
          "model) that the objectives embedding, transport and away are about; without --model nobody is "
          "asked for replies");
    field("transfer_encoder", held_out,
          "further encoder folders that the saved images are measured with, without having been optimized "
          "on");
    field("source_crop", source_crop,
          "surrogates see a random window of the image of that share of its area (0.5-0.9), resized back; "
          "empty = the whole");
    field("crops", crops, "windows of the image a step, losses averaged (M-Attack-V2)");
    field("target_crop", target_crop, "the same for the target picture; empty = the whole");
    field("target_rotation", target_rotation,
          "the target picture is flipped in half of the steps and turned by up to so many degrees");
    field("auxiliary_image", auxiliary_images,
          "pictures like the target that the image is drawn to as well (M-Attack-V2)");
    field("auxiliary_weight", auxiliary_weight, "weight of their mean beside the target");
    field("clusters", clusters, "transport: groups that the patch tokens are averaged in");
    field("surrogate_weights", weights,
          "equal, or ratio: surrogates whose loss falls slower than the others' weigh more (FOA-Attack)");
    choice.visit(field);
  }
};

enum class EncoderTerm {
  kEmbedding,  ///< 1 - cosine to the target's embedding
  kTransport,  ///< optimal transport between centers of patch tokens (token_transport.h)
  kAway        ///< 1 + cosine to the clean photo's embedding
};

/// What the image shall be taken for: a picture, or a text that every encoder reads.
struct EncoderTarget {
  Tensor image = {};  ///< [1,3,H,W] in [0,1]
  std::string text = {};
  std::vector<Tensor> auxiliary = {};  ///< pictures as `image`
};

/// Embedding matching over image encoders: M-Attack (Li et al. 2025), M-Attack-V2 (2026), FOA-Attack (Jia et
/// al. 2025), AttackVLM's image-image and image-text (Zhao et al. 2023), X-Transfer (Huang et al. 2025). Of
/// each encoder the loss is the mean over `crops` windows of the image of the weighted sum of the terms; the
/// target picture of a step is one view of it for all of them. With auxiliary pictures, embedding is
/// 1 - cos(target) + auxiliary_weight * mean(1 - cos(auxiliary)). Over n encoders: their mean; with weights
/// ratio sum_i w_i L_i / n, w = n softmax(L_i(t) / L_i(t-1)), all 1 at the first step. Where a step works on
/// some of the encoders only (surrogate_choice.h) the mean is over these, and the others are not run; images
/// are compared by all.
class EncoderMatching : public Objective {
 public:
  using Terms = std::vector<std::pair<EncoderTerm, double>>;
  /// photos [1,3,H,W]: the clean ones, which `away` leads away from; of_photo says which one. Throws Error
  /// for a text target and an encoder that reads none.
  EncoderMatching(std::vector<std::shared_ptr<const ImageEncoder>> encoders, Terms terms,
                  EncoderTarget target, std::vector<Tensor> photos, const SurrogateConfig& config,
                  uint64_t seed);

  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override;
  bool images_apart() const override;
  /// Whole image, whole target, equal weights.
  Tensor comparable_loss(const Tensor& image) override;
  void of_photo(size_t index) override { photo_ = index; }
  void comparing(bool on) override { comparing_ = on; }
  void after_step(const Tensor& image, int64_t step) override;
  ObjectiveState state() const override;
  void restore(const ObjectiveState& state) override;

 private:
  /// What is fixed about an encoder.
  struct Encoder {
    std::shared_ptr<const ImageEncoder> encoder;
    Tensor text;                        ///< [1,E], of a text target
    std::vector<Tensor> clean;          ///< [1,E] of each photo
    std::vector<EncodedImages> target;  ///< of the target pictures as they are
  };
  bool has(EncoderTerm term) const;
  /// Whether every step sees the target pictures as they are.
  bool target_stands() const { return target_window_.whole() && config_.target_rotation == 0; }
  /// The target's views of a step; none for a text.
  std::vector<Tensor> target_views(std::optional<int64_t> step) const;
  /// Of one encoder: views, each [N,3,H,W] -> [N]
  Tensor loss_of(const Encoder& encoder, const std::vector<Tensor>& views,
                 const std::vector<EncodedImages>& target, uint64_t number) const;
  Tensor term_loss(EncoderTerm term, const Encoder& encoder, const EncodedImages& seen,
                   const std::vector<EncodedImages>& target, uint64_t number) const;
  Tensor transport(const Tensor& patches, const Tensor& target, uint64_t number) const;
  /// Of some encoders, by number. step: which views of the target; nullopt: as it is.
  std::vector<Tensor> losses(const std::vector<Tensor>& views, std::optional<int64_t> step,
                             const std::vector<size_t>& chosen) const;
  /// The loss of an encoder to which everything is at a cosine of 0.
  double loss_at_no_cosine() const;

  std::vector<Encoder> encoders_;
  Terms terms_;
  EncoderTarget target_;
  SurrogateConfig config_;
  WindowShare source_, target_window_;
  uint64_t seed_;
  size_t photo_ = 0, photos_ = 0;
  Tensor previous_, current_;  ///< [n] losses of the step before, and of the last one
  SurrogateChoice choice_;
  std::vector<size_t> every_;  ///< 0 to n - 1
  bool comparing_ = false;
};

/// Throws Error for numbers out of range, and names that are not known.
void check(const SurrogateConfig& config);

}  // namespace hijack
