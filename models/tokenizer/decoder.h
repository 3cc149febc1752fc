#pragma once
#include <memory>
#include <string>
#include <vector>

#include "models/tokenizer/json_reader.h"

namespace hijack::tokenizer {

/// Turns tokens back into text. Immutable.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// The texts of the tokens; joined, they are the text.
  virtual std::vector<std::string> decode(std::vector<std::string> tokens) const = 0;
};

/// Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace, WordPiece; nullptr for null: tokens
/// are then joined with spaces. Throws Error for anything else.
std::shared_ptr<const Decoder> make_decoder(const nlohmann::json& component, const std::string& where);

}  // namespace hijack::tokenizer
