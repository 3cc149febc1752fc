#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "src/serve/served_model.h"

// The JSON that OpenAI's API answers with.

namespace hijack {

/// GET /v1/models.
std::string models_answer(const std::string& model);

/// What the answers to one request share.
struct AnswerHead {
  std::string id;
  std::string model;
  int64_t created = 0;  ///< seconds since 1970

  /// The whole answer, with usage, and where wanted logprobs or vLLM's prompt_logprobs: null for the tokens
  /// of the prompt, which are not scored, then {"ID": {"logprob", "rank", "decoded_token"}, ...} for each of
  /// the given reply.
  std::string completion(const ChatRequest& request, const Completion& done) const;

  // Events of a stream: "data: {...}\n\n".
  std::string first_event() const;
  std::string text_event(std::string_view piece) const;
  /// The finish reason, the log probabilities of the whole reply where wanted, the usage where wanted,
  /// [DONE].
  std::string last_events(const ChatRequest& request, const Completion& done) const;
};
/// An error in the middle of a stream, as an event.
std::string error_event(const std::string& body);

}  // namespace hijack
