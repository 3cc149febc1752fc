#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/endpoint/http.h"

// What answers say about log probabilities, and how they refuse.

namespace hijack {

inline constexpr const char* kScoring =
    "scoring prompts needs POST /completions with echo and logprobs, which vLLM and llama-cpp-python offer, "
    "llama.cpp's own server and most services do not";

/// A server that says why it does not echo; older ones of llama.cpp do with status 500.
bool refuses_to_echo(const std::string& path, const HttpAnswer& answer);

/// " (error.message of a body)", short and printable; "" where it has none.
std::string said_in_error(const std::string& body);

/// choices[0] of an answer; nullptr where there is none.
const nlohmann::json* first_choice(const nlohmann::json& answer);

/// Log probabilities of the tokens of an echoed prompt but the first. Throws Error.
std::vector<double> echoed_logprobs(const nlohmann::json& answer, const std::string& prompt);

/// Log probability of the given reply at the end of a prompt: the sum over the last entries of
/// prompt_logprobs (vLLM's field; each {"ID": {"logprob", "decoded_token"}}) whose texts make up the reply,
/// white space aside. Throws Error for an answer without, and for one whose last tokens are another text.
double given_reply_logprob(const nlohmann::json& answer, const std::string& reply);
/// Throw Error for answers without prompt_logprobs; without log probabilities of a first token.
void check_scores_given_reply(const nlohmann::json& answer);
void check_scores_first_token(const nlohmann::json& answer);

/// Log probability that a reply begins as `text` does: the sum over those of the first token and its
/// top_logprobs with which the text begins, white space aside; the least of them all where none does. Throws
/// Error where the answer has no log probabilities.
double beginning_logprob(const nlohmann::json& answer, const std::string& text);

/// Log probability of `word` as the first token of a reply, from choices[0].logprobs.content[0] of a chat:
/// the sum over those of the first token and its top_logprobs that are the word when case and white space
/// around it are left out. nullopt where none is. Throws Error where the answer has no log probabilities.
std::optional<double> first_token_logprob(const nlohmann::json& answer, const std::string& word);

}  // namespace hijack
