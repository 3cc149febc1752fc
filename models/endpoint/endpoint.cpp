#include "models/endpoint/endpoint.h"

#include <nlohmann/json.hpp>

#include "models/endpoint/chat_body.h"
#include "models/endpoint/scoring.h"

namespace hijack {

using nlohmann::json;

const Tokenizer& EndpointModel::tokenizer() const {
  throw Error("The endpoint " + client_->address() + " has no tokenizer that hijack could use.");
}

Tensor EndpointModel::prompt_nll(const std::string& text) const {
  const json request = {{"model", client_->model()}, {"prompt", text},  {"echo", true}, {"logprobs", 1},
                        {"max_tokens", 1},           {"temperature", 0}};
  const json answer =
      client_->ask("/completions", request, [&](const json& one) { echoed_logprobs(one, text); });
  std::vector<float> nll;
  for (const double logprob : echoed_logprobs(answer, text)) nll.push_back(static_cast<float>(-logprob));
  return at::tensor(nll, at::kFloat);
}

std::vector<Generated> EndpointModel::generate(std::span<const Query> queries,
                                               const GenerateOptions& options) const {
  std::vector<json> requests;
  for (size_t i = 0; i < queries.size(); ++i)
    requests.push_back(chat_body(client_->model(), queries[i], "", options,
                                 options.seeds.empty() ? options.seed : options.seeds.at(i)));
  std::vector<Generated> replies;
  for (const json& answer :
       client_->ask_all("/chat/completions", requests, [](const json& one) { reply_of(one); }))
    replies.push_back(reply_of(answer));
  return replies;
}

}  // namespace hijack
