#include "models/tokenizer/aligned_text.h"

#include "src/base/error.h"
#include "src/base/newer_characters.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {
namespace {

void check_length(size_t bytes) {
  if (bytes > kLongestText)
    throw Error(
        "the tokenizer's input, or what its normalizer makes of it, is longer than 16 MiB; shorten it");
}

// The end of the segment that starts at `at`: a character and all that may combine with it.
size_t segment_end(std::string_view text, size_t at) {
  const auto first = unicode::decode(text, at);
  size_t end = at + first.length;
  if (unicode::is_unknown_to_nfc(first.value)) return end;
  while (end < text.size()) {
    const auto next = unicode::decode(text, end);
    if (!unicode::extends_segment(next.value)) break;
    end += next.length;
  }
  return end;
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

void AlignedText::normalize_segments(std::string (*form)(std::string_view)) {
  bool plain = true;
  for (const char c : text) plain = plain && static_cast<unsigned char>(c) < 0x80;
  if (plain) return;
  AlignedText result;
  result.origin = origin;
  for (size_t at = 0; at < text.size();) {
    const size_t end = segment_end(text, at);
    const auto segment = std::string_view(text).substr(at, end - at);
    const bool known = !unicode::is_unknown_to_nfc(unicode::decode(segment, 0).value);
    const std::string formed = known ? form(segment) : std::string(segment);
    if (formed == segment)
      result.source.insert(result.source.end(), source.begin() + static_cast<ptrdiff_t>(at),
                           source.begin() + static_cast<ptrdiff_t>(end));
    else  // the whole segment is the source of all that it became
      result.source.insert(result.source.end(), formed.size(), source_of(at, end));
    check_length(result.text.size() + formed.size());
    result.text += formed;
    at = end;
  }
  *this = std::move(result);
}

void AlignedText::normalize_nfc() {
  normalize_segments(unicode::nfc);
}

void AlignedText::normalize_nfd() {
  normalize_segments(unicode::nfd);
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
