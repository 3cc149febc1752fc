#include "models/tokenizer/normalizer.h"

#include "models/tokenizer/bert.h"
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

struct Lowercase : Normalizer {
  void normalize(AlignedText& text) const override { text.rewrite(unicode::append_lowercase); }
};

std::shared_ptr<const Normalizer> make_replace(const Json& component, const std::string& where) {
  Pattern pattern = json_reader::pattern(component, "pattern", where);
  // The package loses track of its alignment there, and then of characters.
  if (pattern.matches_empty()) json_reader::unsupported("Replace of an empty match", where);
  return std::make_shared<Replace>(std::move(pattern), json_reader::text(component, "content", where));
}

}  // namespace

std::shared_ptr<const Normalizer> make_normalizer(const Json& component, const std::string& where) {
  if (component.is_null()) return std::make_shared<NormalizerSequence>();
  const std::string type = json_reader::type_of(component, where);
  if (type == "Prepend") return std::make_shared<Prepend>(json_reader::text(component, "prepend", where));
  if (type == "NFC") return std::make_shared<Nfc>();
  if (type == "Lowercase") return std::make_shared<Lowercase>();
  if (type == "Replace") return make_replace(component, where);
  if (type == "BertNormalizer") return make_bert_normalizer(component, where);
  if (type != "Sequence") json_reader::unsupported(type, where);
  auto sequence = std::make_shared<NormalizerSequence>();
  for (const Json& part : json_reader::array(component, "normalizers", where))
    sequence->parts.push_back(make_normalizer(part, where));
  return sequence;
}

}  // namespace hijack::tokenizer
