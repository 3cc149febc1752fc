#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/tokenizer.h"

// What a Hugging Face folder says beside its weights and its config.

namespace hijack {

/// What a model's folder says about its replies, whoever asks.
struct ReplyRules {
  TokenIds stops;  ///< ids that end a reply
  /// Divides the positive logits of tokens that stand in the prompt or in the reply so far, multiplies the
  /// negative ones (Keskar et al. 2019, CTRL; transformers' repetition_penalty). Above 0; 1 = none.
  double repetition_penalty = 1;
};

/// How generation_config.json has replies drawn, "do_sample true, temperature 0.7, top_p 0.9, top_k 50": the
/// fields that it gives, in this order; "" where it gives none. It decides nothing here: hijack is greedy
/// unless the user says otherwise.
std::string drawing_rules(const std::filesystem::path& folder);

/// How the model replies when it is deployed as its folder says. Stops are `eos_token_id` (one or several) of
/// generation_config.json, else of config.json, else of its text_config, else `otherwise`; the repetition
/// penalty is that of generation_config.json. Throws Error for values that make no sense, and for beam search
/// (num_beams above 1), which is another way to reply than any here.
ReplyRules reply_rules(const std::filesystem::path& folder, const nlohmann::json& config,
                       const TokenIds& otherwise = {});

/// The rules of a decoder that generates by itself, as transformers' InstructBLIP does: stops are
/// `eos_token_id` of its own config, else `otherwise`; generation_config.json says nothing.
ReplyRules decoder_reply_rules(const nlohmann::json& text_config, const TokenIds& otherwise);

/// What generation_config.json asks for that changes even greedy replies and is not followed: names of its
/// fields.
std::vector<std::string> rules_not_followed(const std::filesystem::path& folder);

}  // namespace hijack
