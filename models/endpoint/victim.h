#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/endpoint/client.h"
#include "models/vision_language_model.h"

namespace hijack {

/// A vision-language model behind an API: it is shown pictures and gives replies, and nothing else. A picture
/// is sent as the PNG file that is saved; what the server makes of it (resizing, cropping, views) is the
/// server's. All that would need weights (features, token ids, states) throws Error naming the victim. Sizes
/// and tokens are those of the model that the pictures were made on.
class EndpointVictim : public VisionLanguageModel {
 public:
  /// What the server says of a target: the log probability of all of it (prompt_logprobs), or that of its
  /// beginning where it is among the 20 likeliest first tokens (top_logprobs).
  enum class Scores { kReply, kFirstToken };

  /// attacked: gives sizes and a tokenizer; may be loaded on the device meta.
  EndpointVictim(std::shared_ptr<const EndpointClient> client,
                 std::shared_ptr<const VisionLanguageModel> attacked, Scores scores = Scores::kReply);

  const EndpointClient& client() const { return *client_; }

  std::string family() const override { return "endpoint"; }
  ImageSpec image_spec() const override { return attacked_->image_spec(); }
  const Tokenizer& tokenizer() const override { return attacked_->tokenizer(); }
  TokenIds end_of_reply() const override { return attacked_->end_of_reply(); }
  at::Device device() const override { return at::kCPU; }
  bool takes_images() const override { return attacked_->takes_images(); }
  Tensor to_input_space(const Tensor& image) const override { return attacked_->to_input_space(image); }
  /// The picture as it is; undefined for text alone.
  Pixels preprocess(const Tensor& image) const override;

  /// As many queries at once as the client may. Throw as EndpointClient.
  std::vector<Generated> generate(const Pixels& pixels, std::span<const Query> queries,
                                  const GenerateOptions& options) const override;
  std::vector<std::vector<Generated>> replies_of_images(std::span<const ImageQueries> images,
                                                        const GenerateOptions& options) const override;
  std::shared_ptr<const LanguageModel> language_model() const override { return text_; }

  /// Without gradients, and only as far as a server shows them that scores a given reply (prompt_logprobs):
  /// the cross entropy of a target is exact, but for its end token, which is not scored and counts as
  /// certain. The log probability of the whole text, by the victim's own tokens, is spread evenly over the
  /// target's tokens, and the rest of the mass evenly over all others. Of first tokens only the first one is
  /// scored, and the others count as certain; where the target's beginning is not among those that the server
  /// shows, the least likely of these stands for it: such losses are all alike. Throws Error where the server
  /// does not score.
  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override;
  /// Why the server does not say how likely a target is: one sentence, "" where it does. Asks for that once;
  /// an answer with scores is kept, and is the one that target_logits gets. Throws as EndpointClient where
  /// nobody answers, or the budget is spent.
  std::string why_unscored(const Pixels& pixels, const Query& query, const TokenIds& target) const;
  // Throw Error.
  Tensor image_features(const Pixels& pixels) const override;
  TokenIds input_ids(const Pixels& pixels, const Query& query) const override;

 private:
  [[noreturn]] void refuse(const char* what) const;
  nlohmann::json scoring_request(const Query& query, const std::string& image_url,
                                 const std::string& text) const;
  double scored(const nlohmann::json& answer, const std::string& text) const;
  void check_scored(const nlohmann::json& answer) const;

  std::shared_ptr<const EndpointClient> client_;
  std::shared_ptr<const VisionLanguageModel> attacked_;
  std::shared_ptr<const LanguageModel> text_;
  Scores scores_;
};

/// The model, where it is one behind an API; nullptr for one with weights.
const EndpointVictim* behind_an_api(const VisionLanguageModel& model);

}  // namespace hijack
