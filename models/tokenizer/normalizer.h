#pragma once
#include <memory>
#include <string>

#include "models/tokenizer/aligned_text.h"
#include "models/tokenizer/json_reader.h"

namespace hijack::tokenizer {

/// Rewrites text before it is tokenized. Immutable.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void normalize(AlignedText& text) const = 0;
};

/// Sequence, Prepend, Replace, Strip, Lowercase, NFC, NFKC, Nmt, Precompiled, BertNormalizer; null does
/// nothing. Throws Error for anything else.
std::shared_ptr<const Normalizer> make_normalizer(const nlohmann::json& component, const std::string& where);

}  // namespace hijack::tokenizer
