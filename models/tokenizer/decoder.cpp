#include "models/tokenizer/decoder.h"

#include "models/tokenizer/aligned_text.h"
#include "models/tokenizer/bert.h"
#include "models/tokenizer/byte_level.h"
#include "models/tokenizer/metaspace.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {
namespace {

using json_reader::Json;
using Texts = std::vector<std::string>;

std::string joined(const Texts& texts) {
  std::string all;
  for (const std::string& text : texts) all += text;
  return all;
}

struct DecoderSequence : Decoder {
  std::vector<std::shared_ptr<const Decoder>> parts;
  Texts decode(Texts tokens) const override {
    for (const auto& part : parts) tokens = part->decode(std::move(tokens));
    return tokens;
  }
};

struct ByteLevelDecoder : Decoder {
  Texts decode(Texts tokens) const override {
    std::string bytes;
    for (const std::string& token : tokens) bytes += byte_level::bytes_of(token).value_or(token);
    return {unicode::lossy(bytes)};
  }
};

struct Fuse : Decoder {
  Texts decode(Texts tokens) const override { return {joined(tokens)}; }
};

struct ReplaceDecoder : Decoder {
  ReplaceDecoder(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  Texts decode(Texts tokens) const override {
    size_t total = 0;
    for (std::string& token : tokens) {
      std::string replaced;
      for (const Match& match : pattern_.cover(token)) {
        if (match.matched)
          replaced += content_;
        else
          replaced.append(token, match.begin, match.end - match.begin);
        if (total + replaced.size() > kLongestText) throw Error("the decoded text is longer than 16 MiB");
      }
      token = std::move(replaced);
      total += token.size();
    }
    return tokens;
  }

 private:
  Pattern pattern_;
  std::string content_;
};

struct ByteFallback : Decoder {
  Texts decode(Texts tokens) const override {
    Texts texts;
    std::string bytes;
    for (std::string& token : tokens) {
      if (const int byte = byte_of(token); byte >= 0) {
        bytes += static_cast<char>(byte);
        continue;
      }
      flush(bytes, texts);
      texts.push_back(std::move(token));
    }
    flush(bytes, texts);
    return texts;
  }

 private:
  static int byte_of(const std::string& token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
    int value = 0;
    for (size_t i = 3; i < 5; ++i) {
      const auto c = static_cast<unsigned char>(token[i]);
      if (i == 3 && c == '+') continue;  // Rust's from_str_radix takes a sign
      if (std::isxdigit(c) == 0) return -1;
      value = value * 16 + (std::isdigit(c) != 0 ? c - '0' : std::tolower(c) - 'a' + 10);
    }
    return value;
  }
  static void flush(std::string& bytes, Texts& texts) {
    if (bytes.empty()) return;
    if (unicode::is_well_formed(bytes))
      texts.push_back(bytes);
    else
      texts.insert(texts.end(), bytes.size(), std::string(unicode::kReplacement));
    bytes.clear();
  }
};

struct Strip : Decoder {
  Strip(std::string content, int64_t start, int64_t stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}

  Texts decode(Texts tokens) const override {
    for (std::string& token : tokens) {
      std::string_view rest = token;
      for (int64_t i = 0; i < start_ && rest.starts_with(content_); ++i) rest.remove_prefix(content_.size());
      for (int64_t i = 0; i < stop_ && rest.ends_with(content_); ++i) rest.remove_suffix(content_.size());
      token = std::string(rest);
    }
    return tokens;
  }

 private:
  std::string content_;  // one character
  int64_t start_, stop_;
};

struct MetaspaceDecoder : Decoder {
  explicit MetaspaceDecoder(Metaspace options) : options_(std::move(options)) {}

  Texts decode(Texts tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      const bool drop = i == 0 && options_.scheme != Metaspace::Scheme::never;
      std::string text;
      for (size_t at = 0; at < tokens[i].size();) {
        const size_t length = unicode::decode(tokens[i], at).length;
        const auto character = std::string_view(tokens[i]).substr(at, length);
        if (character != options_.replacement)
          text += character;
        else if (!drop)
          text += ' ';
        at += length;
      }
      tokens[i] = std::move(text);
    }
    return tokens;
  }

 private:
  Metaspace options_;
};

}  // namespace

std::shared_ptr<const Decoder> make_decoder(const Json& component, const std::string& where) {
  if (component.is_null()) return nullptr;
  const std::string type = json_reader::type_of(component, where);
  if (type == "ByteLevel") return std::make_shared<ByteLevelDecoder>();
  if (type == "WordPiece") return make_word_piece_decoder(component, where);
  if (type == "Fuse") return std::make_shared<Fuse>();
  if (type == "ByteFallback") return std::make_shared<ByteFallback>();
  if (type == "Metaspace") return std::make_shared<MetaspaceDecoder>(make_metaspace(component, where));
  if (type == "Replace")
    return std::make_shared<ReplaceDecoder>(json_reader::pattern(component, "pattern", where),
                                            json_reader::text(component, "content", where));
  if (type == "Strip")
    return std::make_shared<Strip>(json_reader::character(component, "content", where),
                                   json_reader::count(component, "start", where),
                                   json_reader::count(component, "stop", where));
  if (type != "Sequence") json_reader::unsupported(type, where);
  auto sequence = std::make_shared<DecoderSequence>();
  for (const Json& part : json_reader::array(component, "decoders", where)) {
    if (part.is_null()) throw Error(where + ": a decoder of a Sequence is null");
    sequence->parts.push_back(make_decoder(part, where));
  }
  return sequence;
}

}  // namespace hijack::tokenizer
