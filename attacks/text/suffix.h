#pragma once
#include <string>
#include <vector>

#include "attacks/behavior.h"
#include "models/tokenizer.h"
#include "src/base/random.h"

// Text appended to a user's prompt: what attacks on the text side optimize.

namespace hijack {

/// The context with the suffix after its prompt, one space between.
Context with_suffix(const Context& context, const std::string& suffix);

/// The tokens a suffix may consist of: printable ASCII, not special.
std::vector<TokenId> printable_tokens(const Tokenizer& tokenizer);

/// Whether the text of these tokens is tokenized to the same ids again; a suffix that does not survive this
/// cannot be typed.
bool survives(const Tokenizer& tokenizer, const TokenIds& ids);

/// `tokens` random tokens of the pool that survive. Throws Error for a length outside [1,1000], Failure when
/// the vocabulary has no such sequence.
TokenIds gibberish_ids(const Tokenizer& tokenizer, const std::vector<TokenId>& pool, int64_t tokens,
                       Random& random);

/// The text of gibberish_ids over all printable tokens.
std::string gibberish_suffix(const Tokenizer& tokenizer, int64_t tokens, uint64_t seed);

}  // namespace hijack
