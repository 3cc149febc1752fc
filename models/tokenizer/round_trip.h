#pragma once
#include "models/tokenizer.h"

namespace hijack {

/// Whether the text that `ids` decode to (special tokens kept) encodes, without added special tokens, to the
/// same ids. Ids that do not survive cannot be typed by a user. Unknown ids are an Error.
bool survives_round_trip(const Tokenizer& tokenizer, const TokenIds& ids);

}  // namespace hijack
