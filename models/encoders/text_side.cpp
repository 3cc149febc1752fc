#include "models/encoders/text_side.h"

#include <algorithm>

#include "models/checkpoint/config_json.h"
#include "models/encoders/canonical_text.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {

using nlohmann::json;

TextSide::TextSide(const json& config, bool siglip, int64_t projected, const ParameterSource& source,
                   std::filesystem::path folder)
    : tower_(TextTowerConfig::from_json(config, siglip), source, "text_model"),
      projection_(source, siglip ? "text_model.head" : "text_projection", tower_.config().width, projected,
                  /*with_bias=*/siglip),
      siglip_(siglip),
      folder_(std::move(folder)) {
  const auto id = [&](const char* key, TokenId otherwise) {
    const auto found = config.find(key);
    return found != config.end() && found->is_number_integer() ? found->get<TokenId>() : otherwise;
  };
  end_ = id("eos_token_id", 49407);
  padding_ = id("pad_token_id", 1);
}

const TextSide::Words& TextSide::words() const {
  std::call_once(once_, [this] { words_ = read_words(); });
  return words_;
}

/// The tokenizer with what tokenizer_config.json says of it: its class, and the token that pads (else the
/// network's).
TextSide::Words TextSide::read_words() const {
  const auto settings_file = folder_ / "tokenizer_config.json", pieces = folder_ / "spiece.model";
  const json settings = std::filesystem::exists(settings_file) ? read_json(settings_file) : json::object();
  const auto setting = [&](const char* key) {
    return settings.is_object() ? settings.value(key, json()) : json();
  };
  const json kind = setting("tokenizer_class"), lower_case = setting("do_lower_case");
  const bool named = kind.is_string() && kind.get<std::string>().starts_with("SiglipTokenizer");
  Words words;
  auto file = folder_ / "tokenizer.json";
  words.pieces = siglip_ && std::filesystem::exists(pieces) && (named || !std::filesystem::exists(file));
  if (words.pieces) file = pieces;
  words.tokenizer = words.pieces ? Tokenizer::from_sentence_piece(file) : Tokenizer::from_file(file);
  if (words.tokenizer->vocabulary_size() > tower_.config().vocabulary)
    throw Error(file.string() + " has ids up to " + std::to_string(words.tokenizer->vocabulary_size() - 1) +
                ", but the text tower knows " + std::to_string(tower_.config().vocabulary) + " tokens");
  words.canonical = siglip_ && (words.pieces || named);
  words.lower_case = !lower_case.is_boolean() || lower_case.get<bool>();
  json token = setting("pad_token");
  if (token.is_object()) token = token.value("content", json());
  if (!token.is_string() && words.canonical) token = "</s>";  // SiglipTokenizer's default
  words.padding = padding_;
  if (token.is_string())
    words.padding = words.tokenizer->token_to_id(token.get<std::string>()).value_or(padding_);
  return words;
}

TokenIds TextSide::ids(const std::string& text) const {
  const Words& words = this->words();
  TokenIds ids =
      words.tokenizer->encode(words.canonical ? canonical_text(text, words.lower_case, words.pieces) : text,
                              /*add_special_tokens=*/true);
  const auto room = static_cast<size_t>(tower_.config().max_positions);
  if (ids.empty() || ids.size() > room)
    throw Error("the text \"" + text.substr(0, 60) + "\" is " + std::to_string(ids.size()) +
                " tokens, but the text tower of " + folder_.string() + " reads 1 to " + std::to_string(room));
  if (siglip_) ids.resize(room, words.padding);
  return ids;
}

int64_t TextSide::pooled(const TokenIds& ids) const {
  if (siglip_) return static_cast<int64_t>(ids.size()) - 1;
  // folders with the old eos_token_id 2 mean the highest id, which is the end token of their tokenizer
  const auto found =
      end_ == 2 ? std::max_element(ids.begin(), ids.end()) : std::find(ids.begin(), ids.end(), end_);
  return found == ids.end() ? 0 : found - ids.begin();  // transformers takes the first where there is none
}

Tensor TextSide::embedding(const TokenIds& ids, at::Device device) const {
  const at::NoGradGuard no_gradients;
  const Tensor states = tower_.forward(at::tensor(ids).unsqueeze(0).to(device));  // [1,L,D]
  return projection_(states.select(1, pooled(ids))).to(at::kFloat);
}

}  // namespace hijack
