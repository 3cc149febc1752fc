#include "models/tokenizer/added_vocabulary.h"

#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack::tokenizer {
namespace {

using json_reader::Json;

bool ends_with_word(std::string_view text) {
  return !text.empty() && unicode::is_word(unicode::decode_last(text).value);
}

bool starts_with_word(std::string_view text) {
  return !text.empty() && unicode::is_word(unicode::decode(text, 0).value);
}

size_t trailing_space_start(std::string_view text) {
  while (!text.empty()) {
    const auto last = unicode::decode_last(text);
    if (!unicode::is_white_space(last.value)) break;
    text.remove_suffix(last.length);
  }
  return text.size();
}

size_t leading_space_end(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto next = unicode::decode(text, at);
    if (!unicode::is_white_space(next.value)) break;
    at += next.length;
  }
  return at;
}

AddedToken read_token(const Json& token_json, const std::string& where) {
  AddedToken token;
  token.id = json_reader::token_id(json_reader::member(token_json, "id", where), where);
  token.content = json_reader::text(token_json, "content", where);
  token.single_word = json_reader::flag(token_json, "single_word", where);
  token.lstrip = json_reader::flag(token_json, "lstrip", where);
  token.rstrip = json_reader::flag(token_json, "rstrip", where);
  token.normalized = json_reader::flag(token_json, "normalized", where);
  token.special = json_reader::flag(token_json, "special", where);
  return token;
}

}  // namespace

TokenFinder::TokenFinder() : ids_(1) {}

bool TokenFinder::add(std::string_view text, uint32_t id) {
  if (text.empty()) return false;
  uint32_t node = 0;
  for (const char c : text) {
    const uint64_t edge = uint64_t{node} << 8 | static_cast<unsigned char>(c);
    const auto [next, fresh] = edges_.emplace(edge, static_cast<uint32_t>(ids_.size()));
    if (fresh) ids_.emplace_back();
    node = next->second;
  }
  if (ids_[node]) return false;
  ids_[node] = id;
  starts_[static_cast<unsigned char>(text[0])] = true;
  return true;
}

std::optional<TokenFinder::Found> TokenFinder::find(std::string_view text, size_t start) const {
  for (size_t begin = start; begin < text.size(); ++begin) {
    if (!starts_[static_cast<unsigned char>(text[begin])]) continue;
    std::optional<Found> longest;
    uint32_t node = 0;
    for (size_t at = begin; at < text.size(); ++at) {
      const auto next = edges_.find(uint64_t{node} << 8 | static_cast<unsigned char>(text[at]));
      if (next == edges_.end()) break;
      node = next->second;
      if (ids_[node]) longest = Found{begin, at + 1, *ids_[node]};
    }
    if (longest) return longest;
  }
  return std::nullopt;
}

AddedVocabulary::AddedVocabulary(const Json& tokens, const WordModel& model, const Normalizer& normalizer,
                                 const std::string& where) {
  if (tokens.is_null()) return;
  if (!tokens.is_array()) throw Error(where + ": must be an array");
  auto next = static_cast<uint32_t>(model.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string place = where + "[" + std::to_string(i) + "]";
    AddedToken token = read_token(tokens[i], place);
    if (token.content.empty()) continue;
    const std::string name = "'" + unicode::excerpt(token.content) + "'";
    // The tokenizers package numbers added tokens itself and only warns when the file says otherwise.
    const auto in_model = model.id_of(token.content);
    const uint32_t expected = in_model ? *in_model : next++;
    if (ids_.contains(token.content)) throw Error(place + ": " + name + " is there twice");
    if (tokens_.contains(token.id))
      throw Error(place + ": " + name + " has the id " + std::to_string(token.id) + " of '" +
                  unicode::excerpt(tokens_.at(token.id).content) + "'");
    if (token.id != expected)
      throw Error(place + ": " + name + " says id " + std::to_string(token.id) +
                  " but the tokenizers package gives it " + std::to_string(expected) +
                  "; save the file again with transformers");
    if (!in_model && model.token_of(token.id) != nullptr)
      throw Error(place + ": " + name + " has the id of the vocabulary's '" +
                  unicode::excerpt(*model.token_of(token.id)) + "'");
    add(std::move(token), normalizer, place);
  }
}

void AddedVocabulary::add(AddedToken token, const Normalizer& normalizer, const std::string& where) {
  token.normalized_content = token.content;
  if (token.normalized) {
    AlignedText text = AlignedText::from_bytes(token.content);
    normalizer.normalize(text);
    token.normalized_content = std::move(text.text);
  }
  TokenFinder& finder = token.normalized ? normalized_ : plain_;
  if (!finder.add(token.normalized_content, token.id))
    throw Error(where + ": '" + unicode::excerpt(token.content) +
                "' is empty or equal to another added token once it is normalized");
  if (token.special) special_.insert(token.content);
  ids_.emplace(token.content, token.id);
  tokens_.emplace(token.id, std::move(token));
}

const AddedToken* AddedVocabulary::find(uint32_t id) const {
  const auto found = tokens_.find(id);
  return found == tokens_.end() ? nullptr : &found->second;
}

std::optional<uint32_t> AddedVocabulary::id_of(std::string_view content) const {
  const auto found = ids_.find(content);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<Piece> AddedVocabulary::cut(const AlignedText& text, const TokenFinder& finder) const {
  std::vector<Piece> pieces;
  const std::string_view all = text.text;
  size_t done = 0;
  const auto add_piece = [&](size_t begin, size_t end, std::optional<TokenId> token) {
    if (begin < end) pieces.push_back({text.slice(begin, end), token});
  };
  for (auto found = finder.find(all, 0); found; found = finder.find(all, found->end)) {
    const AddedToken& token = tokens_.at(found->id);
    size_t begin = found->begin, end = found->end;
    if (token.single_word && (ends_with_word(all.substr(0, begin)) || starts_with_word(all.substr(end))))
      continue;
    if (token.lstrip) begin = std::max(trailing_space_start(all.substr(0, begin)), done);
    if (token.rstrip) end += leading_space_end(all.substr(end));
    if (done < begin) add_piece(done, begin, std::nullopt);
    add_piece(begin, end, found->id);
    done = end;
  }
  if (done < all.size()) add_piece(done, all.size(), std::nullopt);
  return pieces;
}

Pieces AddedVocabulary::extract(std::string_view text, const Normalizer& normalizer) const {
  Pieces pieces;
  for (Piece& part : cut(AlignedText::from_bytes(text), plain_)) {
    if (part.token) {
      pieces.push_back(std::move(part));
      continue;
    }
    normalizer.normalize(part.text);
    for (Piece& piece : cut(part.text, normalized_)) pieces.push_back(std::move(piece));
  }
  return pieces;
}

}  // namespace hijack::tokenizer
