#include "models/tokenizer/aligned_text.h"

#include "src/base/error.h"
#include "src/base/newer_characters.h"
#include "src/base/unicode.h"
#include "src/base/unicode_forms.h"

namespace hijack::tokenizer {
namespace {

// Whether the package's normalizers leave a character alone.
bool is_unknown(char32_t c, bool compatible) {
  return unicode::is_unknown_to_nfc(c) || (compatible && unicode::is_unknown_to_nfkc(c));
}

// The end of the segment that starts at `at`: a character and all that may combine with it.
size_t segment_end(std::string_view text, size_t at, bool compatible) {
  const auto first = unicode::decode(text, at);
  size_t end = at + first.length;
  if (is_unknown(first.value, compatible)) return end;
  while (end < text.size()) {
    const auto next = unicode::decode(text, end);
    const bool extends = unicode::extends_segment(next.value) ||
                         (compatible && unicode::extends_compatible_segment(next.value));
    if (!extends) break;
    end += next.length;
  }
  return end;
}

// How many bytes two texts have in common at the beginning, in whole characters.
size_t same_characters(std::string_view a, std::string_view b) {
  const auto [first, second] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  auto same = static_cast<size_t>(first - a.begin());
  while (same > 0 && same < a.size() && !unicode::starts_character(a[same])) --same;
  return same;
}

std::vector<Match> joined(std::span<const Match> matches, SplitBehavior behavior) {
  std::vector<Match> parts;
  bool previous = false;
  for (const Match& match : matches) {
    const bool join =
        behavior == SplitBehavior::contiguous ? match.matched == previous : match.matched && !previous;
    if (join && !parts.empty())
      parts.back().end = match.end;
    else
      parts.push_back(match);
    previous = match.matched;
  }
  return parts;
}

std::vector<Match> joined_with_next(std::span<const Match> matches) {
  std::vector<Match> parts;
  bool previous = false;
  for (size_t i = matches.size(); i-- > 0;) {
    if (matches[i].matched && !previous && !parts.empty())
      parts.back().begin = matches[i].begin;
    else
      parts.push_back(matches[i]);
    previous = matches[i].matched;
  }
  return {parts.rbegin(), parts.rend()};
}

std::vector<Match> parts_of(std::span<const Match> matches, SplitBehavior behavior) {
  switch (behavior) {
    case SplitBehavior::isolated:
    case SplitBehavior::removed:
      return {matches.begin(), matches.end()};
    case SplitBehavior::merged_with_next:
      return joined_with_next(matches);
    default:
      return joined(matches, behavior);
  }
}

}  // namespace

void check_length(size_t bytes) {
  if (bytes > kLongestText)
    throw Error(
        "the tokenizer's input, or what its normalizer makes of it, is longer than 16 MiB; shorten it");
}

AlignedText AlignedText::from_bytes(std::string_view bytes) {
  check_length(bytes.size());
  AlignedText aligned;
  aligned.text.reserve(bytes.size());
  aligned.source.reserve(bytes.size());
  for (size_t at = 0, bad = 0; at < bytes.size();) {
    const size_t length = unicode::sequence_length(bytes, at, &bad);
    const auto part = length > 0 ? bytes.substr(at, length) : unicode::kReplacement;
    const size_t used = length > 0 ? length : bad;
    aligned.text += part;
    aligned.source.insert(aligned.source.end(), part.size(),
                          {static_cast<uint32_t>(at), static_cast<uint32_t>(at + used)});
    at += used;
  }
  return aligned;
}

AlignedText AlignedText::slice(size_t begin, size_t end) const {
  AlignedText part;
  part.text = text.substr(begin, end - begin);
  part.source.assign(source.begin() + static_cast<ptrdiff_t>(begin),
                     source.begin() + static_cast<ptrdiff_t>(end));
  part.origin = part.source.empty() ? origin : part.source.front().begin;
  return part;
}

SourceRange AlignedText::source_of(size_t begin, size_t end) const {
  if (begin >= end) return {origin, origin};
  return {source[begin].begin, source[end - 1].end};
}

void AlignedText::prepend(std::string_view prefix) {
  if (text.empty()) return;
  check_length(text.size() + prefix.size());
  text.insert(0, prefix);
  const SourceRange first = source.front();
  source.insert(source.begin(), prefix.size(), first);
}

void AlignedText::replace(const Pattern& pattern, std::string_view content) {
  AlignedText result;
  result.origin = origin;
  for (const Match& match : pattern.cover(text)) {
    if (match.matched) {
      const SourceRange from = match.end == 0 ? SourceRange{origin, origin} : source[match.end - 1];
      check_length(result.text.size() + content.size());
      result.text += content;
      result.source.insert(result.source.end(), content.size(), from);
    } else {
      result.text.append(text, match.begin, match.end - match.begin);
      result.source.insert(result.source.end(), source.begin() + static_cast<ptrdiff_t>(match.begin),
                           source.begin() + static_cast<ptrdiff_t>(match.end));
    }
  }
  *this = std::move(result);
}

void AlignedText::normalize_segments(std::string (*form)(std::string_view), bool compatible) {
  bool plain = true;
  for (const char c : text) plain = plain && static_cast<unsigned char>(c) < 0x80;
  if (plain) return;
  AlignedText result;
  result.origin = origin;
  for (size_t at = 0; at < text.size();) {
    const size_t end = segment_end(text, at, compatible);
    const auto segment = std::string_view(text).substr(at, end - at);
    const bool known = !is_unknown(unicode::decode(segment, 0).value, compatible);
    const std::string formed = known ? form(segment) : std::string(segment);
    // What stays at the beginning keeps its place; the rest of the segment is the source of all that it
    // became.
    const size_t same = same_characters(segment, formed);
    result.source.insert(result.source.end(), source.begin() + static_cast<ptrdiff_t>(at),
                         source.begin() + static_cast<ptrdiff_t>(at + same));
    result.source.insert(result.source.end(), formed.size() - same, source_of(at + same, end));
    check_length(result.text.size() + formed.size());
    result.text += formed;
    at = end;
  }
  *this = std::move(result);
}

void AlignedText::normalize_nfc() {
  normalize_segments(unicode::nfc, /*compatible=*/false);
}

void AlignedText::normalize_nfd() {
  normalize_segments(unicode::nfd, /*compatible=*/false);
}

void AlignedText::normalize_nfkc() {
  normalize_segments(unicode::nfkc, /*compatible=*/true);
}

void AlignedText::strip(bool left, bool right) {
  size_t begin = 0, end = text.size();
  while (left && begin < end) {
    const auto first = unicode::decode(text, begin);
    if (!unicode::is_white_space(first.value)) break;
    begin += first.length;
  }
  while (right && begin < end) {
    const auto last = unicode::decode_last(std::string_view(text).substr(begin, end - begin));
    if (!unicode::is_white_space(last.value)) break;
    end -= last.length;
  }
  const uint32_t start = origin;
  *this = slice(begin, end);
  origin = start;
}

void AlignedText::rewrite(void (*write)(std::string& text, char32_t character)) {
  AlignedText result;
  result.origin = origin;
  for (size_t at = 0; at < text.size();) {
    const auto character = unicode::decode(text, at);
    const size_t before = result.text.size();
    write(result.text, character.value);
    check_length(result.text.size());
    result.source.insert(result.source.end(), result.text.size() - before,
                         {source[at].begin, source[at + character.length - 1].end});
    at += character.length;
  }
  *this = std::move(result);
}

std::vector<AlignedText> split(const AlignedText& text, std::span<const Match> matches,
                               SplitBehavior behavior) {
  std::vector<AlignedText> parts;
  for (const Match& part : parts_of(matches, behavior)) {
    if (part.begin == part.end || (behavior == SplitBehavior::removed && part.matched)) continue;
    parts.push_back(text.slice(part.begin, part.end));
  }
  return parts;
}

}  // namespace hijack::tokenizer
