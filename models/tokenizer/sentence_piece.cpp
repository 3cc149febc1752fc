#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/tokenizer.h"
#include "models/tokenizer/charsmap.h"
#include "models/tokenizer/given_parts.h"
#include "models/tokenizer/unigram.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {
namespace {

using nlohmann::json;

constexpr int64_t kLargestFile = int64_t{64} << 20;
constexpr const char* kSpaceMark = "\xE2\x96\x81";  // U+2581
constexpr const char* kEnd = "</s>";

/// A field of a protocol buffer: its number, and by its wire type a number or bytes.
struct Field {
  uint64_t number = 0;
  uint64_t value = 0;
  std::string_view bytes;
};

/// The fields of a message, one after the other.
class Message {
 public:
  Message(std::string_view bytes, const std::string& where) : rest_(bytes), where_(where) {}

  bool next(Field& field) {
    if (rest_.empty()) return false;
    const uint64_t key = varint();
    field = {key >> 3, 0, {}};
    switch (key & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.value = little(take(8));
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        field.value = little(take(4));
        break;
      default:
        broken();
    }
    return true;
  }

 private:
  [[noreturn]] void broken() const {
    throw Error(where_ + " is no model of sentencepiece, or cut off: take the file as published");
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    broken();
  }
  std::string_view take(uint64_t count) {
    if (count > rest_.size()) broken();
    const std::string_view part = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return part;
  }
  static uint64_t little(std::string_view bytes) {
    uint64_t value = 0;
    for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  }

  std::string_view rest_;
  const std::string& where_;
};

enum PieceKind : uint64_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

/// What of the file makes a tokenizer, with the defaults of its format.
struct Model {
  json pieces = json::array();
  std::optional<size_t> unknown, end;
  std::vector<uint32_t> never;  // ids of pieces that no text becomes
  uint64_t kind = 1;            // of the model: 1 Unigram, 2 BPE
  bool bytes = false, suffix = false, prefix = true, squeeze = true, escape = true;
  std::string_view rules;
};

void read_piece(Model& model, std::string_view bytes, const std::string& where) {
  std::string text;
  double score = 0;
  uint64_t kind = kNormal;
  Message message(bytes, where);
  for (Field field; message.next(field);) {
    if (field.number == 1) text = field.bytes;
    if (field.number == 2) score = std::bit_cast<float>(static_cast<uint32_t>(field.value));
    if (field.number == 3) kind = field.value;
  }
  const size_t id = model.pieces.size();
  const std::string place = where + ": piece " + std::to_string(id);
  if (!unicode::is_well_formed(text)) throw Error(place + " is not UTF-8");
  if (!std::isfinite(score)) throw Error(place + " has a score that is no number");
  if (kind == kUserDefined)
    throw Error(place + " ('" + unicode::excerpt(text) +
                "') was defined by a user, which is not read; convert the tokenizer to tokenizer.json");
  if (kind == kUnknown) model.unknown = id;
  if (kind == kControl && text == kEnd) model.end = id;
  if (kind != kNormal) model.never.push_back(static_cast<uint32_t>(id));
  model.pieces.push_back({text, score});
}

void read_training(Model& model, std::string_view bytes, const std::string& where) {
  Message message(bytes, where);
  for (Field field; message.next(field);) {
    if (field.number == 3) model.kind = field.value;
    if (field.number == 24) model.suffix = field.value != 0;
    if (field.number == 35) model.bytes = field.value != 0;
  }
}

void read_rules(Model& model, std::string_view bytes, const std::string& where) {
  Message message(bytes, where);
  for (Field field; message.next(field);) {
    if (field.number == 2) model.rules = field.bytes;
    if (field.number == 3) model.prefix = field.value != 0;
    if (field.number == 4) model.squeeze = field.value != 0;
    if (field.number == 5) model.escape = field.value != 0;
  }
}

Model read_model(std::string_view bytes, const std::string& where) {
  Model model;
  Message message(bytes, where);
  for (Field field; message.next(field);) {
    if (field.number == 1) read_piece(model, field.bytes, where);
    if (field.number == 2) read_training(model, field.bytes, where);
    if (field.number == 3) read_rules(model, field.bytes, where);
  }
  const auto refuse = [&](const std::string& what) {
    throw Error(where + ": " + what + " is not read; convert the tokenizer to tokenizer.json");
  };
  if (model.pieces.empty()) throw Error(where + " is no model of sentencepiece: it has no pieces");
  if (model.kind != 1) refuse(model.kind == 2 ? "a BPE model" : "a model that is not Unigram");
  if (model.suffix) refuse("white space as a suffix");
  if (!model.squeeze || !model.escape) refuse("a model that keeps white space");
  if (!model.unknown) throw Error(where + ": there is no unknown piece");
  if (!model.end) throw Error(where + ": there is no end piece '" + kEnd + "'");
  return model;
}

/// sentencepiece's own way with text: its rules, then each run of spaces one, and none at the ends.
class PieceText : public Normalizer {
 public:
  PieceText(std::string_view rules, const std::string& where) : spaces_(Pattern::regex(" {2,}", where)) {
    if (!rules.empty()) rules_.emplace(rules, where);
  }

  void normalize(AlignedText& text) const override {
    if (rules_) rules_->normalize_by_longest(text);
    text.replace(spaces_, " ");
    const std::string_view all = text.text;
    const size_t begin = all.starts_with(' ') ? 1 : 0;
    size_t end = all.size();
    for (const std::string_view space : {std::string_view(" "), std::string_view(kSpaceMark)})
      while (all.substr(begin, end - begin).ends_with(space)) end -= space.size();
    if (begin > 0 || end < all.size()) text = text.slice(begin, end);
  }

 private:
  std::optional<Charsmap> rules_;
  Pattern spaces_;
};

/// What tokenizer.json would say of the rest. Words are not cut apart before: sentencepiece does not.
json surroundings(const Model& model) {
  const json metaspace = {
      {"type", "Metaspace"}, {"replacement", kSpaceMark}, {"prepend_scheme", "always"}, {"split", false}};
  return {{"pre_tokenizer", metaspace},
          {"decoder", metaspace},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single", {{{"Sequence", {{"id", "A"}}}}, {{"SpecialToken", {{"id", kEnd}}}}}},
            {"special_tokens", {{kEnd, {{"ids", {*model.end}}}}}}}}};
}

std::shared_ptr<const Tokenizer> made(const Model& model, const std::string& where) {
  const json pieces = {{"vocab", model.pieces}, {"unk_id", *model.unknown}, {"byte_fallback", model.bytes}};
  // SiglipTokenizer has each text read behind "<unk>", so that it begins with a space whatever the model
  // says.
  const Unigram::Single single{(model.prefix ? kSpaceMark : "") + std::string("<unk>"), model.never};
  return make_tokenizer(surroundings(model), where,
                        {std::make_unique<const Unigram>(pieces, where, single),
                         std::make_shared<const PieceText>(model.rules, where)});
}

}  // namespace

}  // namespace hijack::tokenizer

namespace hijack {

std::shared_ptr<const Tokenizer> Tokenizer::from_sentence_piece(const std::filesystem::path& spiece_model) {
  const std::string where = spiece_model.string();
  const std::string bytes = read_file(spiece_model, tokenizer::kLargestFile);
  return tokenizer::made(tokenizer::read_model(bytes, where), where);
}

}  // namespace hijack
