#pragma once
#include <cstdint>
#include <string>

namespace hijack {

/// Ids of the special tokens, which come first; then the 256 bytes in the order of their byte-level
/// characters, then the merged tokens in the order of their merges.
inline constexpr int64_t kPadToken = 0;    ///< <pad>
inline constexpr int64_t kBosToken = 1;    ///< <s>
inline constexpr int64_t kEosToken = 2;    ///< </s>
inline constexpr int64_t kImageToken = 3;  ///< <image>
inline constexpr int64_t kPocketVocabulary = 1280;

/// Trains byte-level BPE on text drawn from the grammar (equal seeds give equal bytes, as long as the grammar
/// is the same) and returns a Hugging Face tokenizer.json: a space is put before every text and runs of white
/// space become one space, digits are split, <s> is put first by the post-processor, every word of
/// pocket_vocabulary() is a single token. Exactly kPocketVocabulary entries.
std::string train_pocket_tokenizer(uint64_t seed);

}  // namespace hijack
