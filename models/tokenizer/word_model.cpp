#include "models/tokenizer/word_model.h"

#include <cstdio>

#include "models/tokenizer/bpe.h"
#include "models/tokenizer/unigram.h"
#include "models/tokenizer/word_piece.h"
#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {

WordModel::WordModel(const json_reader::Json& model, const std::string& where) {
  const auto& vocabulary = json_reader::member(model, "vocab", where);
  if (!vocabulary.is_object()) throw Error(where + ": 'vocab' must be an object");
  vocabulary_.reserve(vocabulary.size());
  tokens_.reserve(vocabulary.size());
  for (const auto& [token, id] : vocabulary.items()) {
    if (!json_reader::is_token_id(id))
      json_reader::token_id(id, where + ".vocab['" + unicode::excerpt(token) + "']");
    const auto value = id.get<uint32_t>();
    const auto added = vocabulary_.emplace(token, value).first;
    if (const auto [other, fresh] = tokens_.emplace(value, &added->first); !fresh)
      throw Error(where + ".vocab: '" + unicode::excerpt(token) + "' and '" +
                  unicode::excerpt(*other->second) + "' have the same id " + std::to_string(value));
  }
}

WordModel::WordModel(std::vector<std::string> tokens) {
  vocabulary_.reserve(tokens.size());
  tokens_.reserve(tokens.size());
  for (uint32_t id = 0; id < tokens.size(); ++id) {
    const auto place = vocabulary_.insert_or_assign(std::move(tokens[id]), id).first;
    tokens_.emplace(id, &place->first);
  }
}

std::array<std::optional<uint32_t>, 256> WordModel::byte_tokens() const {
  std::array<std::optional<uint32_t>, 256> ids;
  for (unsigned byte = 0; byte < ids.size(); ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    ids[byte] = id_of(name);
  }
  return ids;
}

std::optional<uint32_t> WordModel::id_of(std::string_view token) const {
  const auto found = vocabulary_.find(token);
  return found == vocabulary_.end() ? std::nullopt : std::optional(found->second);
}

const std::string* WordModel::token_of(uint32_t id) const {
  const auto found = tokens_.find(id);
  return found == tokens_.end() ? nullptr : found->second;
}

std::unique_ptr<const WordModel> make_word_model(const json_reader::Json& model, const std::string& where) {
  // Files of old versions have no type; only BPE has merges, only Unigram a list of scores.
  const bool untyped = model.is_object() && !model.contains("type");
  const bool scored = untyped && model.contains("vocab") && model["vocab"].is_array();
  const std::string type = untyped && model.contains("merges") ? "BPE"
                           : scored                            ? "Unigram"
                                                               : json_reader::type_of(model, where);
  if (type == "BPE") return std::make_unique<const Bpe>(model, where);
  if (type == "WordPiece") return std::make_unique<const WordPiece>(model, where);
  if (type == "Unigram") return std::make_unique<const Unigram>(model, where);
  json_reader::unsupported(type, where);
}

}  // namespace hijack::tokenizer
