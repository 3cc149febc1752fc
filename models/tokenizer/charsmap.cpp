#include "models/tokenizer/charsmap.h"

#include "src/base/error.h"
#include "src/base/unicode.h"
#include "src/base/unicode_forms.h"

namespace hijack::tokenizer {
namespace {

constexpr size_t kUnitBytes = 4;
constexpr size_t kLongestRule = 1024;  // bytes: a trie that never ends would make a long text slow
constexpr size_t kShortGrapheme = 6;   // bytes: longer ones are looked up by characters only

uint32_t little_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = kUnitBytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// A unit of the double array: the byte that leads to it or, in a leaf, the value; whether a leaf is below it;
// and how far away its children are.
uint32_t label_of(uint32_t unit) {
  return unit & (uint32_t{1} << 31 | 0xFF);
}
uint32_t value_of(uint32_t unit) {
  return unit & ((uint32_t{1} << 31) - 1);
}
bool has_leaf(uint32_t unit) {
  return (unit >> 8 & 1) != 0;
}
uint32_t offset_of(uint32_t unit) {
  return unit >> 10 << ((unit & uint32_t{1} << 9) >> 6);
}

/// A text that grows by parts of another one.
class Rewritten {
 public:
  explicit Rewritten(const AlignedText& from) : from_(from) { to_.origin = from.origin; }

  /// text [begin, end) of the other one becomes `content`.
  void add(size_t begin, size_t end, std::string_view content) {
    SourceRange source = from_.source_of(begin, end);
    // What vanishes at the very beginning belongs to the first character that stays: so the package counts.
    if (!first_) first_ = source.begin;
    if (content.empty()) return;
    if (to_.text.empty()) source.begin = *first_;
    check_length(to_.text.size() + content.size());
    to_.text += content;
    to_.source.insert(to_.source.end(), content.size(), source);
  }
  AlignedText done() && { return std::move(to_); }

 private:
  const AlignedText& from_;
  AlignedText to_;
  std::optional<uint32_t> first_;
};

}  // namespace

Charsmap::Charsmap(std::string_view bytes, std::string where) : where_(std::move(where)) {
  if (bytes.size() < kUnitBytes) throw Error(where_ + ": the charsmap is cut off");
  const size_t count = little_endian(bytes) / kUnitBytes;
  bytes.remove_prefix(kUnitBytes);
  if (count == 0 || count > bytes.size() / kUnitBytes)
    throw Error(where_ + ": the charsmap says that its trie has " + std::to_string(count) +
                " units, but there is room for " + std::to_string(bytes.size() / kUnitBytes));
  units_.reserve(count);
  for (size_t i = 0; i < count; ++i) units_.push_back(little_endian(bytes.substr(i * kUnitBytes)));
  texts_ = bytes.substr(count * kUnitBytes);
  if (!unicode::is_well_formed(texts_)) throw Error(where_ + ": the texts of the charsmap are not UTF-8");
}

void Charsmap::damaged() const {
  throw Error(where_ +
              ": the charsmap is damaged: it leads out of its own bytes; take the file as published");
}

uint32_t Charsmap::unit(uint32_t place) const {
  if (place >= units_.size()) damaged();
  return units_[place];
}

std::string_view Charsmap::text_at(uint32_t place) const {
  if (place > texts_.size() || (place < texts_.size() && !unicode::starts_character(texts_[place])))
    damaged();
  const std::string_view rest = std::string_view(texts_).substr(place);
  return rest.substr(0, std::min(rest.find('\0'), rest.size()));
}

std::optional<Charsmap::Rule> Charsmap::rule(std::string_view chunk, Which which) const {
  std::optional<Rule> found;
  uint32_t place = offset_of(unit(0));
  chunk = chunk.substr(0, kLongestRule);
  for (size_t at = 0; at < chunk.size() && chunk[at] != 0; ++at) {
    const auto byte = static_cast<unsigned char>(chunk[at]);
    place ^= byte;
    const uint32_t here = unit(place);
    if (label_of(here) != byte) break;
    place ^= offset_of(here);
    if (has_leaf(here)) found = Rule{at + 1, text_at(value_of(unit(place)))};
    if (found && which == Which::kShortest) break;
  }
  return found;
}

void Charsmap::normalize(AlignedText& text) const {
  const std::string_view all = text.text;
  Rewritten result(text);
  for (size_t at = 0; at < all.size();) {
    const size_t end = unicode::grapheme_end(all, at);
    const auto whole =
        end - at < kShortGrapheme ? rule(all.substr(at, end - at), Which::kShortest) : std::nullopt;
    if (whole) result.add(at, end, whole->text);
    while (!whole && at < end) {
      const size_t length = unicode::decode(all, at).length;
      const std::string_view character = all.substr(at, length);
      const auto one = rule(character, Which::kShortest);
      result.add(at, at + length, one ? one->text : character);
      at += length;
    }
    at = end;
  }
  text = std::move(result).done();
}

void Charsmap::normalize_by_longest(AlignedText& text) const {
  const std::string_view all = text.text;
  Rewritten result(text);
  for (size_t at = 0; at < all.size();) {
    size_t end = at + unicode::decode(all, at).length;
    std::string_view content = all.substr(at, end - at);
    if (const auto one = rule(all.substr(at), Which::kLongest)) {
      end = at + one->length;
      content = one->text;
    }
    if (end < all.size() && !unicode::starts_character(all[end])) damaged();
    result.add(at, end, content);
    at = end;
  }
  text = std::move(result).done();
}

}  // namespace hijack::tokenizer
