#include "models/encoders/text_side.h"

#include <algorithm>

#include "models/checkpoint/config_json.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {

TextSide::TextSide(const nlohmann::json& config, bool siglip, int64_t projected,
                   const ParameterSource& source, std::filesystem::path folder)
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

const Tokenizer& TextSide::tokenizer() const {
  std::call_once(once_, [this] {
    auto read = Tokenizer::from_file(folder_ / "tokenizer.json");
    if (read->vocabulary_size() > tower_.config().vocabulary)
      throw Error((folder_ / "tokenizer.json").string() + " has ids up to " +
                  std::to_string(read->vocabulary_size() - 1) + ", but the text tower knows " +
                  std::to_string(tower_.config().vocabulary) + " tokens");
    tokenizer_ = std::move(read);
  });
  return *tokenizer_;
}

/// The token that tokenizer_config.json names, or the network's.
TokenId TextSide::padding() const {
  const auto file = folder_ / "tokenizer_config.json";
  if (!std::filesystem::exists(file)) return padding_;
  const nlohmann::json settings = read_json(file);
  nlohmann::json token = settings.is_object() ? settings.value("pad_token", nlohmann::json()) : nullptr;
  if (token.is_object()) token = token.value("content", nlohmann::json());
  if (!token.is_string()) return padding_;
  return tokenizer().token_to_id(token.get<std::string>()).value_or(padding_);
}

TokenIds TextSide::ids(const std::string& text) const {
  TokenIds ids = tokenizer().encode(text, /*add_special_tokens=*/true);
  const auto room = static_cast<size_t>(tower_.config().max_positions);
  if (ids.empty() || ids.size() > room)
    throw Error("the text \"" + text.substr(0, 60) + "\" is " + std::to_string(ids.size()) +
                " tokens, but the text tower of " + folder_.string() + " reads 1 to " + std::to_string(room));
  if (siglip_) ids.resize(room, padding());
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
