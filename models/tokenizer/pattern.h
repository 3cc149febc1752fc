#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hijack::tokenizer {

/// A part of a text: what a pattern matched, or what lies between matches.
struct Match {
  size_t begin = 0, end = 0;
  bool matched = false;
};

/// Each character that `matches` by itself, and what is between, in order.
std::vector<Match> cover_characters(std::string_view text, bool (*matches)(char32_t));

/// A literal string or a regular expression with the meaning that Oniguruma (Ruby syntax, Unicode) gives it,
/// matched by PCRE2. Immutable: many threads may use one.
class Pattern {
 public:
  static Pattern literal(std::string text);
  /// Throws Error naming `where` for a syntax error and for syntax that PCRE2 would read differently.
  static Pattern regex(const std::string& expression, const std::string& where);

  /// Parts that cover the text in order: matches, and what is between them. Throws Error when matching takes
  /// too many steps.
  std::vector<Match> cover(std::string_view text) const;
  /// Whether it may match the empty string.
  bool matches_empty() const;

 private:
  struct Compiled;
  std::string literal_;
  std::shared_ptr<const Compiled> compiled_;
};

/// The PCRE2 expression (with UTF, UCP, MULTILINE, newline = LF) that means what `expression` means in
/// Oniguruma's Ruby syntax. Throws Error naming `where` for constructs without an equal.
std::string translated_regex(std::string_view expression, const std::string& where);

}  // namespace hijack::tokenizer
