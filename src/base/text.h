#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hijack {

/// Without white space (in ASCII) at both ends.
std::string strip(std::string_view text);

/// `pattern` with each place replaced by its text, e.g. {{"{prompt}", prompt}}. What is put in is not
/// searched for places again: users' texts may contain anything.
std::string filled_pattern(std::string_view pattern,
                           const std::vector<std::pair<std::string, std::string>>& places);

/// What may be part of a file name: letters, digits and the characters of `also` stay, others become "-".
std::string plain_name(std::string_view text, std::string_view also);

/// Levenshtein distance in bytes: the fewest insertions, deletions and replacements that turn a into b. Takes
/// |a| * |b| time.
size_t edit_distance(std::string_view a, std::string_view b);
/// The same in code points; a byte that is not UTF-8 counts as one character.
size_t edit_distance_in_characters(std::string_view a, std::string_view b);

/// FNV-1a, 64 bits (Fowler, Noll, Vo): a fast hash for keys, no secure one. `from`: of what came before.
constexpr uint64_t fnv1a(std::string_view bytes, uint64_t from = 0xcbf29ce484222325ULL) {
  for (const char c : bytes) from = (from ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return from;
}

}  // namespace hijack
