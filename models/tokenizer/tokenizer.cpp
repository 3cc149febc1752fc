#include "models/tokenizer.h"

#include "models/tokenizer/added_vocabulary.h"
#include "models/tokenizer/decoder.h"
#include "models/tokenizer/given_parts.h"
#include "models/tokenizer/json_reader.h"
#include "models/tokenizer/post_processor.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/random.h"

namespace hijack::tokenizer {
namespace {

using json_reader::Json;

// A key that is absent counts as null.
const Json& part_of(const Json& root, const char* key) {
  static const Json nothing;
  const auto found = root.find(key);
  return found == root.end() ? nothing : *found;
}

class JsonTokenizer : public Tokenizer {
 public:
  JsonTokenizer(const Json& root, const std::string& where, GivenParts given)
      : model_(given.model ? std::move(given.model)
                           : make_word_model(json_reader::member(root, "model", where), where + ": model")),
        normalizer_(given.normalizer ? std::move(given.normalizer)
                                     : make_normalizer(part_of(root, "normalizer"), where + ": normalizer")),
        pre_tokenizer_(make_pre_tokenizer(part_of(root, "pre_tokenizer"), where + ": pre_tokenizer")),
        added_(part_of(root, "added_tokens"), *model_, *normalizer_, where + ": added_tokens"),
        post_processor_(make_post_processor(
            part_of(root, "post_processor"), [this](uint32_t id) { return is_known(id); },
            where + ": post_processor")),
        decoder_(make_decoder(part_of(root, "decoder"), where + ": decoder")) {
    uint32_t highest = added_.highest_id();
    for (const auto& [token, id] : model_->vocabulary()) highest = std::max(highest, id);
    if (model_->vocabulary().empty() && added_.empty()) throw Error(where + ": the vocabulary is empty");
    size_ = int64_t{highest} + 1;
  }

  TokenIds encode(std::string_view text, bool add_special_tokens) const override {
    return encode_with_offsets(text, add_special_tokens).ids;
  }

  Encoding encode_with_offsets(std::string_view text, bool add_special_tokens) const override {
    const auto word = [&](std::string_view part, std::vector<WordToken>& tokens) {
      model_->encode(part, tokens);
    };
    return post_processor_->process(encode_words(text, word), add_special_tokens);
  }

  TokenIds encode_with_dropout(std::string_view text, double dropout, uint64_t seed) const override {
    if (!(dropout >= 0 && dropout <= 1))
      throw Error("BPE-dropout of " + std::to_string(dropout) + " is no probability; choose one in [0, 1]");
    Random random(seed);
    const auto word = [&](std::string_view part, std::vector<WordToken>& tokens) {
      model_->encode_with_dropout(part, dropout, random, tokens);
    };
    if (dropout == 0) return encode(text, false);
    return post_processor_->process(encode_words(text, word), false).ids;
  }

  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens) const override {
    std::vector<std::string> tokens;
    for (const TokenId id : ids) {
      const std::string& token = decoded_form(id);
      if (!skip_special_tokens || !added_.is_special(token)) tokens.push_back(token);
    }
    const bool spaces = decoder_ == nullptr;
    if (!spaces) tokens = decoder_->decode(std::move(tokens));
    std::string text;
    for (size_t i = 0; i < tokens.size(); ++i) text += (spaces && i > 0 ? " " : "") + tokens[i];
    return text;
  }

  int64_t vocabulary_size() const override { return size_; }

  std::optional<TokenId> token_to_id(std::string_view token) const override {
    auto id = added_.id_of(token);
    if (!id) id = model_->id_of(token);
    return id ? std::optional<TokenId>(*id) : std::nullopt;
  }

  std::string id_to_token(TokenId id) const override {
    if (const AddedToken* added = find_added(id)) return added->content;
    return decoded_form(id);
  }

  bool is_special(TokenId id) const override {
    const AddedToken* added = find_added(id);
    return added != nullptr && added->special;
  }

 private:
  bool is_known(uint32_t id) const { return added_.find(id) != nullptr || model_->token_of(id) != nullptr; }

  const AddedToken* find_added(TokenId id) const {
    return id < 0 || id >= size_ ? nullptr : added_.find(static_cast<uint32_t>(id));
  }

  // What the decoder sees. A normalized added token is in its normalized form, as in the original.
  const std::string& decoded_form(TokenId id) const {
    if (const AddedToken* added = find_added(id)) return added->normalized_content;
    const std::string* token = id < 0 || id >= size_ ? nullptr : model_->token_of(static_cast<uint32_t>(id));
    if (token == nullptr)
      throw Error("token id " + std::to_string(id) + " is not in the tokenizer's vocabulary");
    return *token;
  }

  template <class EncodeWord>
  Encoding encode_words(std::string_view text, const EncodeWord& encode_word) const {
    Pieces pieces = added_.extract(text, *normalizer_);
    pre_tokenizer_->split(pieces);
    Encoding encoding;
    std::vector<WordToken> tokens;
    for (const Piece& piece : pieces) {
      tokens.clear();
      if (piece.token)
        tokens.push_back(
            {static_cast<uint32_t>(*piece.token), 0, static_cast<uint32_t>(piece.text.text.size())});
      else
        encode_word(std::string_view(piece.text.text), tokens);
      for (const WordToken& token : tokens) {
        const SourceRange from = piece.text.source_of(token.begin, token.end);
        encoding.ids.push_back(token.id);
        encoding.offsets.emplace_back(from.begin, from.end);
      }
    }
    return encoding;
  }

  std::unique_ptr<const WordModel> model_;
  std::shared_ptr<const Normalizer> normalizer_;
  std::shared_ptr<const PreTokenizer> pre_tokenizer_;
  AddedVocabulary added_;
  std::shared_ptr<const PostProcessor> post_processor_;
  std::shared_ptr<const Decoder> decoder_;
  int64_t size_ = 0;
};

}  // namespace

std::shared_ptr<const Tokenizer> make_tokenizer(const Json& root, const std::string& where,
                                                GivenParts given) {
  return std::make_shared<JsonTokenizer>(root, where, std::move(given));
}

}  // namespace hijack::tokenizer

namespace hijack {

std::shared_ptr<const Tokenizer> Tokenizer::from_file(const std::filesystem::path& tokenizer_json) {
  for (const char* name : {"tokenizer.model", "spiece.model"})
    if (!std::filesystem::exists(tokenizer_json) &&
        std::filesystem::exists(tokenizer_json.parent_path() / name))
      throw Error(tokenizer_json.parent_path().string() + " has its tokenizer as " + name +
                  " only, which is not read; convert it once in Python with "
                  "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR), which writes tokenizer.json");
  return from_json(read_file(tokenizer_json), tokenizer_json.string());
}

std::shared_ptr<const Tokenizer> Tokenizer::from_json(std::string_view json, const std::string& where) {
  namespace json_reader = tokenizer::json_reader;
  const auto root = json_reader::parse(json, where);
  if (!root.is_object()) throw Error(where + ": expected an object");
  if (root.contains("version") && root["version"] != "1.0")
    json_reader::unsupported("version " + root["version"].dump().substr(0, 40), where);
  return tokenizer::make_tokenizer(root, where, {});
}

}  // namespace hijack
