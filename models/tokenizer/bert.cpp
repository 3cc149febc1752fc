#include "models/tokenizer/bert.h"

#include <optional>

#include "src/base/error.h"
#include "src/base/text.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {
namespace {

using json_reader::Json;

// The package's range of Extension E begins at 2B920, not at 2B820.
constexpr std::pair<char32_t, char32_t> kChinese[] = {
    {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},  {0x20000, 0x2A6DF},
    {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};

bool is_chinese(char32_t c) {
  return std::any_of(std::begin(kChinese), std::end(kChinese),
                     [&](const auto& range) { return c >= range.first && c <= range.second; });
}

class BertNormalizer : public Normalizer {
 public:
  BertNormalizer(const Json& component, const std::string& where)
      : clean_(json_reader::flag(component, "clean_text", where)),
        chinese_(json_reader::flag(component, "handle_chinese_chars", where)),
        lower_(json_reader::flag(component, "lowercase", where)),
        accents_(json_reader::flag(component, "strip_accents", lower_, where)) {}

  void normalize(AlignedText& text) const override {
    if (clean_) text.rewrite(clean);
    if (chinese_) text.rewrite(space_around_chinese);
    if (accents_) {
      text.normalize_nfd();
      text.rewrite(without_accent);
    }
    if (lower_) text.rewrite(unicode::append_lowercase);
  }

 private:
  static void clean(std::string& text, char32_t c) {
    const bool blank = c == '\t' || c == '\n' || c == '\r';
    if (c == 0 || c == 0xFFFD || (!blank && unicode::is_other(c))) return;
    unicode::append(text, blank || unicode::is_white_space(c) ? ' ' : c);
  }
  static void space_around_chinese(std::string& text, char32_t c) {
    const bool apart = is_chinese(c);
    if (apart) text += ' ';
    unicode::append(text, c);
    if (apart) text += ' ';
  }
  static void without_accent(std::string& text, char32_t c) {
    if (!unicode::is_nonspacing_mark(c)) unicode::append(text, c);
  }

  bool clean_, chinese_, lower_, accents_;
};

class BertPreTokenizer : public PreTokenizer {
 public:
  void split(Pieces& pieces) const override {
    split_pieces(pieces, [](const AlignedText& text) {
      return tokenizer::split(text, cover_characters(text.text, unicode::is_white_space),
                              SplitBehavior::removed);
    });
    split_pieces(pieces, [](const AlignedText& text) {
      return tokenizer::split(text, cover_characters(text.text, unicode::is_punctuation),
                              SplitBehavior::isolated);
    });
  }
};

class WordPieceDecoder : public Decoder {
 public:
  WordPieceDecoder(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}

  std::vector<std::string> decode(std::vector<std::string> tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::string& token = tokens[i];
      if (i > 0 && token.starts_with(prefix_))
        token.erase(0, prefix_.size());
      else if (i > 0)
        token.insert(0, " ");
      if (cleanup_) clean(token);
    }
    return tokens;
  }

 private:
  static void clean(std::string& text) {
    static constexpr std::pair<const char*, const char*> kPairs[] = {
        {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& pair : kPairs) text = filled_pattern(text, {pair});
  }

  std::string prefix_;
  bool cleanup_;
};

}  // namespace

std::shared_ptr<const Normalizer> make_bert_normalizer(const Json& component, const std::string& where) {
  return std::make_shared<BertNormalizer>(component, where);
}

std::shared_ptr<const PreTokenizer> make_bert_pre_tokenizer() {
  return std::make_shared<BertPreTokenizer>();
}

std::shared_ptr<const Decoder> make_word_piece_decoder(const Json& component, const std::string& where) {
  return std::make_shared<WordPieceDecoder>(json_reader::text(component, "prefix", where),
                                            json_reader::flag(component, "cleanup", where));
}

}  // namespace hijack::tokenizer
