#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "models/tokenizer.h"

namespace hijack {

/// The first tokens of each word, at the beginning of a text and after a space; in the order of the words,
/// each once.
std::vector<int64_t> first_tokens(const Tokenizer& tokenizer, const std::vector<std::string>& words);

}  // namespace hijack
