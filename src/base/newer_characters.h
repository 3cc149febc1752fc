#pragma once
#include <span>
#include <string>
#include <string_view>

// PCRE2 and utf8proc know the Unicode version they were built with; the `tokenizers` package 0.23 has Unicode
// 16 in its expressions, 17 in its Digits, and tables from before Unicode 11 in its NFC. What lies between is
// here.
namespace hijack::unicode {

struct NewerCharacters {
  char32_t first, last;
  std::string_view category;
};

/// All characters of Unicode 15 and 16, by code point.
std::span<const NewerCharacters> newer_characters();
/// The general category ("Lo"); empty when the character is not one of these.
std::string_view newer_category(char32_t c);
/// Those of a general category ("L", "Lo"), as members of a PCRE2 class.
std::string newer_members(std::string_view category);

/// Newer characters of a script, as members of a PCRE2 class; nullptr for a script that is not in the table.
const std::string_view* newer_script_members(std::string_view script);

/// Characters that the package's NFC does not know: it neither reorders nor composes them.
bool is_unknown_to_nfc(char32_t c);

/// Characters whose category Other, Nonspacing_Mark or Punctuation is of Unicode 9 or later.
bool is_newer_than_unicode_8(char32_t c);

/// The small letter of a capital of Unicode 16 or 17; 0 for any other character.
char32_t newer_lowercase(char32_t c);

}  // namespace hijack::unicode
