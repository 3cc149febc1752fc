#pragma once
#include <string>
#include <string_view>

#include "models/query.h"

namespace hijack {

/// The text of a query as the family's chat template renders it with the generation prompt. The image's place
/// is the family's image token, once, in the first user turn.
/// LLaVA-1.5: "USER: <image>\n{prompt} ASSISTANT:", system text before it.
std::string render_llava(const Query& query, bool with_image);

/// Idefics3 and SmolVLM: "User:<image>{prompt}<end_of_utterance>\nAssistant:", a colon and a space before a
/// text; without what the template writes before the first message ("<|im_start|>").
std::string render_idefics3(const Query& query, bool with_image);

/// LLaVA-OneVision: "<|im_start|>user <image>\n{prompt}<|im_end|><|im_start|>assistant\n".
std::string render_llava_onevision(const Query& query, bool with_image);

/// ChatML (Qwen2, SmolLM2): "<|im_start|>user\n{image}{prompt}<|im_end|>\n<|im_start|>assistant\n". `system`
/// is the turn before it when the query has none; "" for no such turn.
std::string render_chatml(const Query& query, const std::string& system, const std::string& image = "");

/// The system text that a ChatML template writes by itself; "" when it writes none.
std::string default_system(std::string_view chat_template);

/// Gemma, without the begin token: "<start_of_turn>user\n{prompt}<end_of_turn>\n<start_of_turn>model\n". The
/// template has no system turn: a system text stands before the first user's.
std::string render_gemma(const Query& query);

/// Llama 3, without the begin token: "<|start_header_id|>user<|end_header_id|>\n\n{prompt}<|eot_id|>" and the
/// same header for the assistant. dated: as of 3.1, a system turn that says two dates stands before all.
std::string render_llama3(const Query& query, bool dated);

/// Models without template: the texts, each on lines of its own.
std::string render_plain(const Query& query);

}  // namespace hijack
