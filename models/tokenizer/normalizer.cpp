#include "models/tokenizer/normalizer.h"

#include "models/tokenizer/bert.h"
#include "models/tokenizer/charsmap.h"
#include "src/base/base64.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {
namespace {

using json_reader::Json;

struct NormalizerSequence : Normalizer {
  std::vector<std::shared_ptr<const Normalizer>> parts;
  void normalize(AlignedText& text) const override {
    for (const auto& part : parts) part->normalize(text);
  }
};

struct Prepend : Normalizer {
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  void normalize(AlignedText& text) const override { text.prepend(prefix_); }

 private:
  std::string prefix_;
};

struct Replace : Normalizer {
  Replace(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void normalize(AlignedText& text) const override { text.replace(pattern_, content_); }

 private:
  Pattern pattern_;
  std::string content_;
};

struct Nfc : Normalizer {
  void normalize(AlignedText& text) const override { text.normalize_nfc(); }
};

struct Nfkc : Normalizer {
  void normalize(AlignedText& text) const override { text.normalize_nfkc(); }
};

/// Control characters go, and what looks like a space is one: as Google's translators want their text.
struct Nmt : Normalizer {
  void normalize(AlignedText& text) const override { text.rewrite(write); }

 private:
  static void write(std::string& text, char32_t c) {
    const bool control =
        (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
    const bool space = c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                       (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                       c == 0xFEFF || c == 0xFFFD;
    if (!control) unicode::append(text, space ? ' ' : c);
  }
};

struct StripSpace : Normalizer {
  StripSpace(bool left, bool right) : left_(left), right_(right) {}
  void normalize(AlignedText& text) const override { text.strip(left_, right_); }

 private:
  bool left_, right_;
};

struct Precompiled : Normalizer {
  Precompiled(std::string_view bytes, const std::string& where) : charsmap_(bytes, where) {}
  void normalize(AlignedText& text) const override { charsmap_.normalize(text); }

 private:
  Charsmap charsmap_;
};

struct Lowercase : Normalizer {
  void normalize(AlignedText& text) const override { text.rewrite(unicode::append_lowercase); }
};

std::shared_ptr<const Normalizer> make_replace(const Json& component, const std::string& where) {
  Pattern pattern = json_reader::pattern(component, "pattern", where);
  // The package loses track of its alignment there, and then of characters.
  if (pattern.matches_empty()) json_reader::unsupported("Replace of an empty match", where);
  return std::make_shared<Replace>(std::move(pattern), json_reader::text(component, "content", where));
}

std::shared_ptr<const Normalizer> make_precompiled(const Json& component, const std::string& where) {
  const auto bytes = base64_decoded(json_reader::text(component, "precompiled_charsmap", where));
  if (!bytes) throw Error(where + ": 'precompiled_charsmap' is not base64");
  return std::make_shared<Precompiled>(*bytes, where);
}

}  // namespace

std::shared_ptr<const Normalizer> make_normalizer(const Json& component, const std::string& where) {
  if (component.is_null()) return std::make_shared<NormalizerSequence>();
  const std::string type = json_reader::type_of(component, where);
  if (type == "Prepend") return std::make_shared<Prepend>(json_reader::text(component, "prepend", where));
  if (type == "NFC") return std::make_shared<Nfc>();
  if (type == "Lowercase") return std::make_shared<Lowercase>();
  if (type == "Replace") return make_replace(component, where);
  if (type == "NFKC") return std::make_shared<Nfkc>();
  if (type == "Nmt") return std::make_shared<Nmt>();
  if (type == "Precompiled") return make_precompiled(component, where);
  if (type == "Strip")
    return std::make_shared<StripSpace>(json_reader::flag(component, "strip_left", where),
                                        json_reader::flag(component, "strip_right", where));
  if (type == "BertNormalizer") return make_bert_normalizer(component, where);
  if (type != "Sequence") json_reader::unsupported(type, where);
  auto sequence = std::make_shared<NormalizerSequence>();
  for (const Json& part : json_reader::array(component, "normalizers", where))
    sequence->parts.push_back(make_normalizer(part, where));
  return sequence;
}

}  // namespace hijack::tokenizer
