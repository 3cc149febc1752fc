#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hijack {

using TokenId = int64_t;
using TokenIds = std::vector<TokenId>;

/// One encoded text with, per token, the byte range of the input it came from (special tokens added by the
/// post-processor have an empty range).
struct Encoding {
  TokenIds ids;
  std::vector<std::pair<size_t, size_t>> offsets;
};

/// A Hugging Face tokenizer.json, read exactly: same ids and texts as the `tokenizers` package 0.23. Every
/// component it does not know is refused by name when the file is read. Of the file's settings, `truncation`,
/// `padding` and the model's `dropout` have no effect (transformers turns the first two off), and ByteLevel's
/// `trim_offsets` has none: a token's range includes its leading space. Immutable: many threads may use one.
class Tokenizer {
 public:
  static std::shared_ptr<const Tokenizer> from_file(const std::filesystem::path& tokenizer_json);
  static std::shared_ptr<const Tokenizer> from_json(std::string_view json, const std::string& where);
  /// A Unigram model as sentencepiece itself writes it (spiece.model, a protocol buffer), with an end token
  /// "</s>" behind each text: what SigLIP 1 has. The same pieces as sentencepiece's. Throws Error for bytes
  /// that are none (over 64 MiB, cut off, not UTF-8), and by name for what is not read: BPE, pieces that a
  /// user defined, white space kept or as a suffix.
  static std::shared_ptr<const Tokenizer> from_sentence_piece(const std::filesystem::path& spiece_model);
  virtual ~Tokenizer() = default;

  /// text: any bytes; ill-formed UTF-8 is replaced by U+FFFD as Python's decoder would. Added tokens in it
  /// ("<image>") are always found; add_special_tokens is about those of the post-processor. Throws Error for
  /// a text, or what the normalizer makes of it, of more than 16 MiB.
  virtual TokenIds encode(std::string_view text, bool add_special_tokens) const = 0;
  virtual Encoding encode_with_offsets(std::string_view text, bool add_special_tokens) const = 0;
  /// BPE-dropout (Provilkov et al. 2020): each merge is skipped with probability `dropout`; seed
  /// chooses the draw. Without special tokens of the post-processor.
  virtual TokenIds encode_with_dropout(std::string_view text, double dropout, uint64_t seed) const = 0;
  /// Any id sequence, ill-formed ones included. Unknown ids are an Error.
  virtual std::string decode(std::span<const TokenId> ids, bool skip_special_tokens) const = 0;

  virtual int64_t vocabulary_size() const = 0;  ///< highest id + 1, added tokens included
  virtual std::optional<TokenId> token_to_id(std::string_view token) const = 0;
  virtual std::string id_to_token(TokenId id) const = 0;
  virtual bool is_special(TokenId id) const = 0;
};

}  // namespace hijack
