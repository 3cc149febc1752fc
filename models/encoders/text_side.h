#pragma once
#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>

#include "models/network/text_tower.h"
#include "models/tokenizer.h"

namespace hijack {

/// What turns a text into the embedding that CLIP or SigLIP compares with images. The folder's tokenizer.json
/// is read when the first text comes: an encoder whose tokenizer is not supported still reads images. Of
/// SigLIP where tokenizer_config.json names SiglipTokenizer, or there is no tokenizer.json, it is
/// spiece.model, as in transformers. Then, and where tokenizer_config.json names that class, texts are
/// canonical first (canonical_text.h).
class TextSide {
 public:
  /// config: `text_config`. projected: width of the embedding.
  TextSide(const nlohmann::json& config, bool siglip, int64_t projected, const ParameterSource& source,
           std::filesystem::path folder);

  /// The ids that the tower reads: with the tokenizer's own begin and end; of SigLIP padded to its length.
  /// Throws Error for a text that is too long, and a tokenizer.json that cannot be read.
  TokenIds ids(const std::string& text) const;
  /// ids -> [1,E]: of CLIP the projected state of the end token, of SigLIP that of the last one.
  Tensor embedding(const TokenIds& ids, at::Device device) const;

 private:
  struct Words {
    std::shared_ptr<const Tokenizer> tokenizer;
    bool pieces = false;  // from spiece.model
    bool canonical = false, lower_case = true;
    TokenId padding = 0;
  };
  const Words& words() const;
  Words read_words() const;
  int64_t pooled(const TokenIds& ids) const;

  TextTower tower_;
  Linear projection_;
  bool siglip_;
  TokenId end_ = 0, padding_ = 0;
  std::filesystem::path folder_;
  mutable std::once_flag once_;
  mutable Words words_;
};

}  // namespace hijack
