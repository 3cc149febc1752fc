#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/image_encoder.h"

namespace hijack {

class TowerEncoder;

/// An encoder where a model is wanted: it sees images and says nothing. Whoever asks it for words meets an
/// Error that says so.
class EncoderModel : public VisionLanguageModel {
 public:
  explicit EncoderModel(std::shared_ptr<const TowerEncoder> encoder);
  const std::shared_ptr<const TowerEncoder>& encoder() const { return encoder_; }

  std::string family() const override;
  ImageSpec image_spec() const override;
  at::Device device() const override;
  Tensor to_input_space(const Tensor& image) const override;
  Pixels preprocess(const Tensor& image) const override;
  /// The patch tokens.
  Tensor image_features(const Pixels& pixels) const override;

  const Tokenizer& tokenizer() const override { say_nothing(); }
  std::vector<Tensor> target_logits(const Pixels&, std::span<const Query>,
                                    std::span<const TokenIds>) const override {
    say_nothing();
  }
  std::vector<Generated> generate(const Pixels&, std::span<const Query>,
                                  const GenerateOptions&) const override {
    say_nothing();
  }
  TokenIds input_ids(const Pixels&, const Query&) const override { say_nothing(); }
  std::shared_ptr<const LanguageModel> language_model() const override { say_nothing(); }

 private:
  [[noreturn]] void say_nothing() const;
  std::shared_ptr<const TowerEncoder> encoder_;
};

/// By model_type of config.json ("clip", "siglip", "dinov2"), or "open_clip" for a folder without that file.
/// config: null for open_clip.
std::shared_ptr<const VisionLanguageModel> load_encoder_model(const std::string& type,
                                                              const std::filesystem::path& folder,
                                                              const nlohmann::json& config, at::Device device,
                                                              at::ScalarType dtype);
/// Names of the encoders that load.
std::vector<std::string> encoder_names();
bool is_encoder(const std::string& type);

}  // namespace hijack
