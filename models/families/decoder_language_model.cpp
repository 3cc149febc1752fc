#include "models/families/decoder_language_model.h"

#include <nlohmann/json.hpp>

#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/reply_rules.h"
#include "models/families/image_prompt_model.h"
#include "models/prefix/shared_prefix.h"
#include "src/base/error.h"

namespace hijack {

DecoderLanguageModel::DecoderLanguageModel(std::shared_ptr<const Decoder> decoder,
                                           std::shared_ptr<const Tokenizer> tokenizer, ReplyRules rules,
                                           Render render, std::string template_origin)
    : decoder_(std::move(decoder)),
      tokenizer_(std::move(tokenizer)),
      rules_(std::move(rules)),
      render_(std::move(render)),
      template_origin_(std::move(template_origin)) {}

namespace {

/// Where the template puts the user's text: [first byte, bytes after it). The text itself may occur anywhere
/// in a template, so two texts that share nothing show the place.
std::pair<size_t, size_t> place_of_text(const DecoderLanguageModel::Render& render) {
  const std::string one = render({.prompt = "\x01"}).text, other = render({.prompt = "\x02"}).text;
  size_t begin = 0;
  while (begin < one.size() && one[begin] == other[begin]) ++begin;
  return {begin, one.size() - begin - 1};
}

constexpr int64_t kScoresAtOnce = int64_t{1} << 25;  // of tokens in a pass: 128 MiB of logits

/// Of tokens `ids` [n] with logits [n,V].
Tensor nll_of(const Tensor& logits, const TokenIds& ids) {
  const Tensor places = at::tensor(ids, at::kLong).to(logits.device());
  const Tensor nll = -logits.log_softmax(-1).gather(1, places.unsqueeze(1)).squeeze(1).cpu();  // [n]
  if (!nll.isfinite().all().item<bool>()) throw NotFinite("the perplexity of a prompt is not finite");
  return nll;
}

}  // namespace

struct DecoderLanguageModel::Scored {
  Prompt prompt;      ///< up to the text's first token
  TokenIds ids = {};  ///< the other tokens of the text; empty for fewer than two
};

DecoderLanguageModel::Scored DecoderLanguageModel::scored(const std::string& text,
                                                          std::pair<size_t, size_t> place) const {
  const RenderedPrompt prompted = render_({.prompt = text});
  const size_t begin = place.first, end = prompted.text.size() - place.second;
  const Encoding encoding = tokenizer_->encode_with_offsets(prompted.text, prompted.add_special_tokens);
  // the tokens that overlap the user's text; its first token has no score
  size_t first = encoding.ids.size(), last = 0;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    const auto [from, to] = encoding.offsets[i];
    if (from >= to || to <= begin || from >= end) continue;
    first = std::min(first, i);
    last = i + 1;
  }
  if (last < first + 2) return {};
  const auto at = [&](size_t i) { return encoding.ids.begin() + static_cast<std::ptrdiff_t>(i); };
  return {{{encoding.ids.begin(), at(first + 1)}}, {at(first + 1), at(last)}};
}

Tensor DecoderLanguageModel::prompt_nll(const std::string& text) const {
  return prompt_nlls({&text, 1}).front();
}

std::vector<Tensor> DecoderLanguageModel::prompt_nlls(std::span<const std::string> texts) const {
  const at::NoGradGuard no_gradients;
  const auto place = place_of_text(render_);
  std::vector<Tensor> all(texts.size(), at::empty({0}, at::kFloat));
  std::vector<Prompt> prompts;
  std::vector<TokenIds> ids;
  std::vector<size_t> places;
  int64_t scores = 0;
  const auto score = [&] {
    const auto logits = shared_prefix_logits(*decoder_, prompts, ids);
    for (size_t i = 0; i < places.size(); ++i) all[places[i]] = nll_of(logits[i], ids[i]);
    prompts.clear(), ids.clear(), places.clear();
    scores = 0;
  };
  for (size_t i = 0; i < texts.size(); ++i) {
    Scored one = scored(texts[i], place);
    if (one.ids.empty()) continue;
    const int64_t its = static_cast<int64_t>(one.ids.size()) * decoder_->config().vocabulary;
    if (!places.empty() && scores + its > kScoresAtOnce) score();
    scores += its;
    places.push_back(i);
    prompts.push_back(std::move(one.prompt));
    ids.push_back(std::move(one.ids));
  }
  if (!places.empty()) score();
  return all;
}

std::vector<Prompt> DecoderLanguageModel::prompts_of(std::span<const Query> queries) const {
  std::vector<Prompt> prompts;
  for (const auto& query : queries) {
    const RenderedPrompt rendered = render_(query);
    prompts.push_back({tokenizer_->encode(rendered.text, rendered.add_special_tokens)});
  }
  return prompts;
}

std::vector<Generated> DecoderLanguageModel::generate(std::span<const Query> queries,
                                                      const GenerateOptions& options) const {
  return shared_prefix_generate(*decoder_, prompts_of(queries), *tokenizer_, rules_, options);
}

std::vector<Tensor> DecoderLanguageModel::target_logits(std::span<const Query> queries,
                                                        std::span<const TokenIds> targets) const {
  const at::NoGradGuard no_gradients;
  return shared_prefix_logits(*decoder_, prompts_of(queries), targets);
}

TokenIds DecoderLanguageModel::input_ids(const Query& query) const {
  return prompts_of({&query, 1}).front().ids;
}

TokenIds class_stops(const std::string& model_type) {
  if (model_type == "llama" || model_type == "mistral") return {2};
  if (model_type == "gemma" || model_type == "gemma2" || model_type == "gemma3_text") return {1};
  if (model_type == "phi3") return {32000};
  return {};
}

std::shared_ptr<const Decoder> read_text_decoder(const std::filesystem::path& folder, DecoderConfig config,
                                                 at::Device device, at::ScalarType dtype) {
  Weights weights(folder);
  weights.rename([](const std::string& stored) {
    return stored.ends_with("rotary_emb.inv_freq") ? std::string() : stored;
  });
  settle_tied_head(weights, "model", "lm_head", config);
  auto decoder =
      std::make_shared<const Decoder>(config, frozen_source(weights, device, dtype), "model", "lm_head");
  weights.finish();
  return decoder;
}

std::shared_ptr<const Decoder> load_text_decoder(const std::filesystem::path& folder,
                                                 const nlohmann::json& json, at::Device device,
                                                 at::ScalarType dtype) {
  const ConfigReader read(json, "root");
  if (read.flag("use_bidirectional_attention", false))
    throw Error("config.json: use_bidirectional_attention true is not supported; the decoder must be causal");
  DecoderConfig config = DecoderConfig::from_json(json, std::nullopt);
  config.read_logit_cap(json);
  return read_text_decoder(folder, std::move(config), device, dtype);
}

ReplyRules text_reply_rules(const std::filesystem::path& folder, const nlohmann::json& json) {
  return reply_rules(folder, json, class_stops(ConfigReader(json, "root").text("model_type", "")));
}

}  // namespace hijack
