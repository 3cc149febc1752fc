#include "models/endpoint/victim.h"

#include <nlohmann/json.hpp>

#include "models/endpoint/chat_body.h"
#include "models/endpoint/endpoint.h"
#include "models/endpoint/scoring.h"

namespace hijack {

using nlohmann::json;

namespace {

/// [T,V] of which log softmax gives the tokens of the text these log probabilities, and special ones 0.
Tensor spread_logits(const Tokenizer& tokenizer, const TokenIds& target,
                     const std::vector<double>& logprobs) {
  const int64_t vocabulary = tokenizer.vocabulary_size();
  constexpr double kCertain = -1e-9, kNever = -1e4;
  std::vector<Tensor> rows;
  size_t next = 0;
  for (const TokenId id : target) {
    const double own = tokenizer.is_special(id) ? 0 : logprobs.at(next++);
    const double rest =
        own > kCertain ? kNever : std::log1p(-std::exp(own)) - std::log(static_cast<double>(vocabulary - 1));
    rows.push_back(at::full({vocabulary}, rest, at::kFloat));
    rows.back()[id] = own;
  }
  return at::stack(rows);
}

size_t spoken_tokens(const Tokenizer& tokenizer, const TokenIds& target) {
  return static_cast<size_t>(
      std::count_if(target.begin(), target.end(), [&](TokenId id) { return !tokenizer.is_special(id); }));
}

}  // namespace

EndpointVictim::EndpointVictim(std::shared_ptr<const EndpointClient> client,
                               std::shared_ptr<const VisionLanguageModel> attacked, Scores scores)
    : client_(std::move(client)),
      attacked_(std::move(attacked)),
      text_(std::make_shared<const EndpointModel>(client_)),
      scores_(scores) {}

void EndpointVictim::refuse(const char* what) const {
  throw Error("The victim " + client_->name() + " is behind an API, which gives no " + what + ".");
}

Pixels EndpointVictim::preprocess(const Tensor& image) const {
  if (!image.defined()) return {};
  return {image, image.size(2), image.size(3)};
}

std::vector<Generated> EndpointVictim::generate(const Pixels& pixels, std::span<const Query> queries,
                                                const GenerateOptions& options) const {
  const ImageQueries one{pixels, {queries.begin(), queries.end()}};
  return replies_of_images({&one, 1}, options).at(0);
}

std::vector<std::vector<Generated>> EndpointVictim::replies_of_images(std::span<const ImageQueries> images,
                                                                      const GenerateOptions& options) const {
  std::vector<json> requests;
  for (const ImageQueries& one : images) {
    const std::string url = data_url(one.pixels.values);
    for (const Query& query : one.queries)
      requests.push_back(chat_body(client_->model(), query, url, options,
                                   options.seeds.empty() ? options.seed : options.seeds.at(requests.size())));
  }
  const std::vector<json> answers =
      client_->ask_all("/chat/completions", requests, [](const json& answer) { reply_of(answer); });
  std::vector<std::vector<Generated>> replies;
  size_t next = 0;
  for (const ImageQueries& one : images) {
    replies.emplace_back();
    for (size_t i = 0; i < one.queries.size(); ++i) replies.back().push_back(reply_of(answers[next++]));
  }
  return replies;
}

Tensor EndpointVictim::image_features(const Pixels&) const {
  refuse("image features");
}

json EndpointVictim::scoring_request(const Query& query, const std::string& image_url,
                                     const std::string& text) const {
  if (scores_ == Scores::kReply) return scoring_body(client_->model(), query, image_url, text);
  return first_token_body(client_->model(), query, image_url);
}

double EndpointVictim::scored(const json& answer, const std::string& text) const {
  return scores_ == Scores::kReply ? given_reply_logprob(answer, text) : beginning_logprob(answer, text);
}

void EndpointVictim::check_scored(const json& answer) const {
  try {
    scores_ == Scores::kReply ? check_scores_given_reply(answer) : check_scores_first_token(answer);
  } catch (const Error& error) {
    throw Error(error.what() + std::string("; --query-score success makes do with its replies"));
  }
}

std::string EndpointVictim::why_unscored(const Pixels& pixels, const Query& query,
                                         const TokenIds& target) const {
  const std::string text = tokenizer().decode(target, /*skip_special_tokens=*/true);
  try {
    client_->ask("/chat/completions", scoring_request(query, data_url(pixels.values), text),
                 [&](const json& answer) { scored(answer, text); });
    return "";
  } catch (const RequestRefused& refused) {
    return refused.what();
  } catch (const AnswerUnusable& unusable) {
    return unusable.what();
  }
}

std::vector<Tensor> EndpointVictim::target_logits(const Pixels& pixels, std::span<const Query> queries,
                                                  std::span<const TokenIds> targets) const {
  const std::string url = data_url(pixels.values);
  std::vector<json> requests;
  std::vector<std::string> texts;
  for (size_t i = 0; i < queries.size(); ++i) {
    texts.push_back(tokenizer().decode(targets[i], /*skip_special_tokens=*/true));
    requests.push_back(scoring_request(queries[i], url, texts.back()));
  }
  const std::vector<json> answers =
      client_->ask_all("/chat/completions", requests, [this](const json& one) { check_scored(one); });
  std::vector<Tensor> logits;
  for (size_t i = 0; i < queries.size(); ++i) {
    const size_t spoken = spoken_tokens(tokenizer(), targets[i]);
    std::vector<double> logprobs(spoken, 0);
    try {
      const double whole = scored(answers[i], texts[i]);
      if (scores_ == Scores::kReply)
        std::fill(logprobs.begin(), logprobs.end(), whole / static_cast<double>(spoken));
      else
        logprobs.at(0) = whole;
    } catch (const Error& error) {
      throw Error("The answer of the endpoint " + client_->address() + " cannot be used: " + error.what() +
                  ".");
    }
    logits.push_back(spread_logits(tokenizer(), targets[i], logprobs));
  }
  return logits;
}

TokenIds EndpointVictim::input_ids(const Pixels&, const Query&) const {
  refuse("token ids");
}

const EndpointVictim* behind_an_api(const VisionLanguageModel& model) {
  return dynamic_cast<const EndpointVictim*>(&model);
}

}  // namespace hijack
