#pragma once
#include <string>
#include <string_view>

#include "models/query.h"
#include "src/base/text.h"

// How replies are compared.

namespace hijack {

/// Without any white space and, in ASCII, without case.
std::string fold(const std::string& text);

/// One space in place of each run of white space, none at both ends, and in ASCII without case.
std::string simplified(const std::string& text);

/// Words between white space.
int64_t count_words(const std::string& text);

/// Whether `part` stands in `text` in whole words: letters and digits at its ends have no letter or digit
/// beside them ("Sure" stands in "Sure, here", not in "Surely", nor "can" in "can't"; scripts that put no
/// spaces between words are exempt). Nothing contains an empty part.
bool contains_words(const std::string& text, const std::string& part);

/// The same, and the text has another word before or behind.
bool contains_words_among_others(const std::string& text, const std::string& part);

/// Whether `text` begins with `part` in whole words, and goes on with another word.
bool begins_with_words(const std::string& text, const std::string& part);

/// What was said of a reply for certain: where it was cut, without half a character at its end.
std::string said(const Generated& reply);

/// Whether two replies are different ones, case and white space aside, whatever a cut one would have gone on
/// to say: neither could have become the other.
bool surely_differ(const Generated& one, const Generated& other);

}  // namespace hijack
