#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "models/families/decoder_language_model.h"
#include "models/vision_language_model.h"
#include "src/serve/chat_request.h"

namespace hijack {

/// A token with its log probability in nats, before temperature, and the likeliest ones in its place.
struct ScoredToken {
  TokenId id = 0;
  std::string text;
  double logprob = 0;
  int64_t rank = 0;  ///< 1 = the likeliest
  std::vector<ScoredToken> top = {};
};

struct Completion {
  std::string text;
  bool cut = false;  ///< at max_tokens or the end of the context window: finish_reason "length"
  std::vector<ScoredToken> logprobs = {};  ///< of the reply, where wanted
  std::vector<ScoredToken> scored = {};    ///< of the given reply, where wanted
  int64_t prompt_tokens = -1;              ///< -1: not known
  int64_t completion_tokens = 0;
};

/// A model that answers one request at a time.
class ServedModel {
 public:
  ServedModel(std::shared_ptr<const VisionLanguageModel> model, std::string name, const ServeLimits& limits);

  const std::string& name() const { return name_; }
  const ServeLimits& limits() const { return limits_; }

  /// Throws RequestError for what this model cannot be asked: another one's name (404), a picture where it
  /// takes none, log probabilities of what cannot be scored.
  void check(const ChatRequest& request) const;

  /// Waits until the model is free, then answers. on_piece is called with the reply as it grows, whole
  /// characters, never with a part of a stop text; false from it ends the reply. Throws RequestError: 503
  /// where the model stays busy or `ended` says that the server stops, 504 where the reply takes longer than
  /// limits().seconds, 400 where the prompt does not fit. Each token's log probability is that of a second
  /// pass over the reply.
  Completion answer(const ChatRequest& request, std::stop_token ended,
                    const std::function<bool(std::string_view)>& on_piece = {}) const;

 private:
  Completion generated(const ChatRequest& request, const Pixels& pixels, std::stop_token ended,
                       const std::function<bool(std::string_view)>& on_piece) const;
  Pixels seen(const ChatRequest& request) const;
  /// Asked without a picture, a model that takes one answers with its decoder.
  bool by_text_alone(const ChatRequest& request) const;
  void count_tokens(Completion& completion, const ChatRequest& request, const Pixels& pixels) const;
  std::vector<ScoredToken> scores(const ChatRequest& request, const Pixels& pixels, const std::string& reply,
                                  int64_t top) const;

  std::shared_ptr<const VisionLanguageModel> model_;
  std::shared_ptr<const DecoderLanguageModel> text_;  ///< null: cannot be scored without a picture
  std::string name_;
  ServeLimits limits_;
  mutable std::timed_mutex busy_;
};

}  // namespace hijack
