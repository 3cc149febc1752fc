#include "models/tokenizer/pre_tokenizer.h"

#include <map>

#include "models/tokenizer/bert.h"
#include "models/tokenizer/byte_level.h"
#include "models/tokenizer/metaspace.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {
namespace {

using json_reader::Json;

struct PreTokenizerSequence : PreTokenizer {
  std::vector<std::shared_ptr<const PreTokenizer>> parts;
  void split(Pieces& pieces) const override {
    for (const auto& part : parts) part->split(pieces);
  }
};

struct SplitByPattern : PreTokenizer {
  SplitByPattern(Pattern pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void split(Pieces& pieces) const override {
    split_pieces(pieces, [&](const AlignedText& text) {
      std::vector<Match> matches = pattern_.cover(text.text);
      if (invert_)
        for (Match& match : matches) match.matched = !match.matched;
      return tokenizer::split(text, matches, behavior_);
    });
  }

 private:
  Pattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

struct Digits : PreTokenizer {
  explicit Digits(bool individual) : individual_(individual) {}

  void split(Pieces& pieces) const override {
    split_pieces(pieces, [&](const AlignedText& text) {
      return tokenizer::split(text, cover_characters(text.text, unicode::is_numeric),
                              individual_ ? SplitBehavior::isolated : SplitBehavior::contiguous);
    });
  }

 private:
  bool individual_;
};

struct ByteLevel : PreTokenizer {
  ByteLevel(bool add_prefix_space, bool use_regex) : add_prefix_space_(add_prefix_space) {
    if (use_regex) words_ = Pattern::regex(byte_level::kExpression, "ByteLevel");
  }

  void split(Pieces& pieces) const override {
    split_pieces(pieces, [&](AlignedText text) {
      if (add_prefix_space_ && text.text.front() != ' ') text.prepend(" ");
      if (words_) return tokenizer::split(text, words_->cover(text.text), SplitBehavior::isolated);
      return std::vector<AlignedText>{std::move(text)};
    });
    for (Piece& piece : pieces)
      if (!piece.token) to_alphabet(piece.text);
  }

 private:
  static void to_alphabet(AlignedText& text) {
    std::string mapped;
    std::vector<SourceRange> source;
    mapped.reserve(2 * text.text.size());
    source.reserve(2 * text.text.size());
    for (size_t at = 0; at < text.text.size(); ++at) {
      const auto character = byte_level::character_of(static_cast<unsigned char>(text.text[at]));
      mapped += character;
      source.insert(source.end(), character.size(), text.source[at]);
    }
    text.text = std::move(mapped);
    text.source = std::move(source);
  }

  bool add_prefix_space_;
  std::optional<Pattern> words_;
};

struct WhitespaceSplit : PreTokenizer {
  void split(Pieces& pieces) const override {
    split_pieces(pieces, [](const AlignedText& text) {
      return tokenizer::split(text, cover_characters(text.text, unicode::is_white_space),
                              SplitBehavior::removed);
    });
  }
};

struct MetaspaceWords : PreTokenizer {
  explicit MetaspaceWords(Metaspace options)
      : options_(std::move(options)),
        space_(Pattern::literal(" ")),
        replacement_(Pattern::literal(options_.replacement)) {}

  void split(Pieces& pieces) const override {
    split_pieces(pieces, [&](AlignedText text) {
      text.replace(space_, options_.replacement);
      const bool wanted = options_.scheme == Metaspace::Scheme::always ||
                          (options_.scheme == Metaspace::Scheme::first && text.origin == 0);
      if (wanted && !text.text.starts_with(options_.replacement)) text.prepend(options_.replacement);
      if (options_.split)
        return tokenizer::split(text, replacement_.cover(text.text), SplitBehavior::merged_with_next);
      return std::vector<AlignedText>{std::move(text)};
    });
  }

 private:
  Metaspace options_;
  Pattern space_, replacement_;
};

std::shared_ptr<const PreTokenizer> make_split(const Json& component, const std::string& where) {
  static const std::map<std::string, SplitBehavior> behaviors = {
      {"Removed", SplitBehavior::removed},
      {"Isolated", SplitBehavior::isolated},
      {"MergedWithPrevious", SplitBehavior::merged_with_previous},
      {"MergedWithNext", SplitBehavior::merged_with_next},
      {"Contiguous", SplitBehavior::contiguous}};
  const std::string behavior = json_reader::text(component, "behavior", where);
  const auto found = behaviors.find(behavior);
  if (found == behaviors.end()) json_reader::unsupported("Split with behavior '" + behavior + "'", where);
  return std::make_shared<SplitByPattern>(json_reader::pattern(component, "pattern", where), found->second,
                                          json_reader::flag(component, "invert", where));
}

}  // namespace

std::shared_ptr<const PreTokenizer> make_pre_tokenizer(const Json& component, const std::string& where) {
  if (component.is_null()) return std::make_shared<PreTokenizerSequence>();
  const std::string type = json_reader::type_of(component, where);
  if (type == "Split") return make_split(component, where);
  if (type == "WhitespaceSplit") return std::make_shared<WhitespaceSplit>();
  if (type == "BertPreTokenizer") return make_bert_pre_tokenizer();
  if (type == "Digits")
    return std::make_shared<Digits>(json_reader::flag(component, "individual_digits", where));
  if (type == "ByteLevel")
    return std::make_shared<ByteLevel>(json_reader::flag(component, "add_prefix_space", where),
                                       json_reader::flag(component, "use_regex", true, where));
  if (type == "Metaspace") return std::make_shared<MetaspaceWords>(make_metaspace(component, where));
  if (type != "Sequence") json_reader::unsupported(type, where);
  auto sequence = std::make_shared<PreTokenizerSequence>();
  for (const Json& part : json_reader::array(component, "pretokenizers", where))
    sequence->parts.push_back(make_pre_tokenizer(part, where));
  return sequence;
}

}  // namespace hijack::tokenizer
