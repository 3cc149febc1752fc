#include "src/serve/served_model.h"

#include <ATen/ATen.h>

#include <chrono>

#include "src/base/unicode.h"
#include "src/serve/request_error.h"
#include "src/serve/stop_texts.h"

namespace hijack {
namespace {

using Clock = std::chrono::steady_clock;

/// Ends a reply when the server stops, the client is gone, a stop text was met or the time is over.
class Ending {
 public:
  Ending(std::stop_token ended, double seconds)
      : until_(Clock::now() +
               std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))),
        forward_(std::move(ended), [this] { stop_.request_stop(); }) {}

  std::stop_token token() const { return stop_.get_token(); }
  void end() { stop_.request_stop(); }
  /// To be called now and then.
  void look_at_the_clock() {
    if (Clock::now() > until_) late_ = true, stop_.request_stop();
  }
  bool late() const { return late_; }

 private:
  std::stop_source stop_;
  Clock::time_point until_;
  bool late_ = false;
  std::stop_callback<std::function<void()>> forward_;
};

ScoredToken token_of(const Tokenizer& tokenizer, TokenId id, double logprob, int64_t rank) {
  ScoredToken token{.id = id, .text = {}, .logprob = logprob, .rank = rank};
  if (id < tokenizer.vocabulary_size()) token.text = tokenizer.decode({&id, 1}, false);
  return token;
}

}  // namespace

ServedModel::ServedModel(std::shared_ptr<const VisionLanguageModel> model, std::string name,
                         const ServeLimits& limits)
    : model_(std::move(model)),
      text_(std::dynamic_pointer_cast<const DecoderLanguageModel>(model_->language_model())),
      name_(std::move(name)),
      limits_(limits) {}

bool ServedModel::by_text_alone(const ChatRequest& request) const {
  return model_->takes_images() && !request.image.defined();
}

void ServedModel::check(const ChatRequest& request) const {
  if (!request.model.empty() && request.model != name_)
    throw RequestError(
        "there is no model '" + unicode::excerpt(request.model) + "' here, only '" + name_ + "'.", "model",
        404);
  if (request.image.defined() && !model_->takes_images())
    throw RequestError("the model '" + name_ + "' is a language model, which takes no pictures.", "messages");
  if ((request.logprobs || request.scores_reply) && by_text_alone(request) && !text_)
    throw RequestError("log probabilities of this model need a picture in the first message.", "messages");
}

Pixels ServedModel::seen(const ChatRequest& request) const {
  if (by_text_alone(request)) return {};
  return model_->preprocess(request.image.defined() ? request.image.to(model_->device()) : request.image);
}

std::vector<ScoredToken> ServedModel::scores(const ChatRequest& request, const Pixels& pixels,
                                             const std::string& reply, int64_t top) const {
  TokenIds ids = model_->target_ids(reply);
  if (ids.empty()) ids = model_->end_of_reply();  // the first token ended it
  if (ids.empty()) return {};
  const std::span<const Query> query(&request.query, 1);
  const std::span<const TokenIds> target(&ids, 1);
  const Tensor logits = by_text_alone(request) ? text_->target_logits(query, target).at(0)
                                               : model_->target_logits(pixels, query, target).at(0);
  const Tensor logprobs = logits.to(at::kFloat).cpu().log_softmax(-1);  // [T,V]
  std::vector<ScoredToken> all;
  for (size_t i = 0; i < ids.size(); ++i) {
    const Tensor row = logprobs[static_cast<int64_t>(i)];
    const double own = row[ids[i]].item<double>();
    all.push_back(token_of(model_->tokenizer(), ids[i], own, (row > own).sum().item<int64_t>() + 1));
    if (top == 0) continue;
    const auto [values, places] = row.topk(std::min(top, row.size(0)));
    for (int64_t k = 0; k < values.size(0); ++k)
      all.back().top.push_back(
          token_of(model_->tokenizer(), places[k].item<int64_t>(), values[k].item<double>(), k + 1));
  }
  return all;
}

void ServedModel::count_tokens(Completion& completion, const ChatRequest& request,
                               const Pixels& pixels) const {
  // of the text as it is written anew: what was generated may have been other pieces of it
  const auto written = static_cast<int64_t>(model_->target_ids(completion.text).size());
  completion.completion_tokens = std::min(written, request.options.max_new_tokens);
  if (!by_text_alone(request))
    completion.prompt_tokens = static_cast<int64_t>(model_->input_ids(pixels, request.query).size());
  else if (text_)
    completion.prompt_tokens = static_cast<int64_t>(text_->input_ids(request.query).size());
}

Completion ServedModel::generated(const ChatRequest& request, const Pixels& pixels, std::stop_token ended,
                                  const std::function<bool(std::string_view)>& on_piece) const {
  Ending ending(ended, limits_.seconds);
  StopTexts stops(request.stop);
  std::string text;
  std::string raw;
  const auto show = [&](const std::string& piece) {
    text += piece;
    if (!piece.empty() && on_piece && !on_piece(piece)) ending.end();
  };
  GenerateOptions options = request.options;
  options.stop = ending.token();
  options.on_text = [&](size_t, std::string_view piece) {
    ending.look_at_the_clock();
    raw += piece;
    show(stops.take(piece));
    if (stops.met()) ending.end();
  };
  const Generated said = by_text_alone(request)
                             ? model_->language_model()->generate({&request.query, 1}, options).at(0)
                             : model_->generate(pixels, {&request.query, 1}, options).at(0);
  if (ended.stop_requested()) throw RequestError("the server is stopping.", "", 503);
  if (ending.late())
    throw RequestError("the reply took longer than " + std::to_string(std::llround(limits_.seconds)) + " s.",
                       "", 504);
  // what was held back until its character was whole; bytes that are no text may have changed what came
  // before
  if (!stops.met() && said.text.starts_with(raw))
    show(stops.take(std::string_view(said.text).substr(raw.size())));
  if (stops.met()) return {.text = std::move(text), .cut = false};
  show(stops.rest());
  return {.text = said.text, .cut = said.cut};
}

Completion ServedModel::answer(const ChatRequest& request, std::stop_token ended,
                               const std::function<bool(std::string_view)>& on_piece) const {
  std::unique_lock lock(busy_, std::defer_lock);
  if (!lock.try_lock_for(std::chrono::duration<double>(limits_.seconds)) || ended.stop_requested())
    throw RequestError(
        ended.stop_requested() ? "the server is stopping." : "the model is busy with other requests.", "",
        503);
  const at::NoGradGuard no_gradients;
  try {
    const Pixels pixels = seen(request);
    Completion completion;
    if (request.scores_reply)
      completion.scored = scores(request, pixels, request.scored_reply, request.prompt_logprobs);
    else
      completion = generated(request, pixels, ended, on_piece);
    if (request.logprobs && !request.scores_reply)
      completion.logprobs = scores(request, pixels, completion.text, request.top_logprobs);
    count_tokens(completion, request, pixels);
    return completion;
  } catch (const RequestError&) {
    throw;
  } catch (const Error& error) {
    throw RequestError(error.what());
  }
}

}  // namespace hijack
