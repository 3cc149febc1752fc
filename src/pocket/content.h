#pragma once
#include <string>
#include <vector>

#include "src/base/random.h"
#include "src/pocket/phrase.h"

// Free text for the copying tasks, and what stands around requests.

namespace hijack {

/// A short sentence about things, capital first, period last.
std::string plain_sentence(Random& random);
const std::vector<Phrase>& plain_phrases();

/// Text to be said or mailed, of at most max_words words (at least 3): random words of the vocabulary, web
/// addresses, sentences, questions, the canary, some strings of no language. No colons, quotes or inner
/// periods.
std::string random_content(Random& random, int64_t max_words);

/// 1 to max_words words of gibberish, punctuation and stray words.
std::string random_junk(Random& random, int64_t max_words);

/// Puts junk before the prompt, after it, or both.
void add_junk(std::string& prompt, Random& random, int64_t max_words);

int64_t count_words(std::string_view text);
/// Lower case, single spaces, no final punctuation: what replies are compared by.
std::string normalized_reply(std::string_view text);

/// Web addresses that contents draw from.
const std::vector<std::string>& web_addresses();

}  // namespace hijack
