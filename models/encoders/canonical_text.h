#pragma once
#include <string>
#include <string_view>

namespace hijack {

/// What transformers' SiglipTokenizer makes of a text before it is cut into tokens: small letters (as
/// Python's str.lower, the Greek final sigma included) if `lower_case`, no ASCII punctuation, each run of
/// white space one space, none at the ends; U+2581 counts as a space. Names of special tokens in a text are
/// letters like others: "</s>" becomes "s", where transformers would take the token. Ill-formed UTF-8 becomes
/// U+FFFD. `marked`: behind a U+2581, as transformers hands it to sentencepiece (a space at the beginning
/// then stays).
std::string canonical_text(std::string_view text, bool lower_case, bool marked);

}  // namespace hijack
