#pragma once
#include <memory>
#include <string>

#include "models/tokenizer/aligned_text.h"
#include "models/tokenizer/json_reader.h"

namespace hijack::tokenizer {

/// Cuts text into the words that the model works on. Immutable.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  /// Pieces that are tokens already stay as they are.
  virtual void split(Pieces& pieces) const = 0;
};

/// Sequence, Split, Digits, ByteLevel, Metaspace, WhitespaceSplit, BertPreTokenizer; null does nothing.
/// Throws Error for anything else.
std::shared_ptr<const PreTokenizer> make_pre_tokenizer(const nlohmann::json& component,
                                                       const std::string& where);

/// Applies cut(AlignedText) -> vector<AlignedText> to every piece that is not a token yet; empty parts go.
template <class Cut>
void split_pieces(Pieces& pieces, const Cut& cut) {
  Pieces result;
  result.reserve(pieces.size());
  for (Piece& piece : pieces) {
    if (piece.token) {
      result.push_back(std::move(piece));
      continue;
    }
    for (AlignedText& part : cut(std::move(piece.text)))
      if (!part.text.empty()) result.push_back({std::move(part), std::nullopt});
  }
  pieces = std::move(result);
}

}  // namespace hijack::tokenizer
