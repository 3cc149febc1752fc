#include "models/endpoint/scoring.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "src/base/error.h"
#include "src/base/unicode.h"

namespace hijack {
namespace {

using nlohmann::json;

/// The lists of choices[0].logprobs of an answer that echoes `prompt`. Throws Error for one that does not.
const json& echo_of(const json& answer, const std::string& prompt) {
  const json* choice = first_choice(answer);
  const bool scored = choice && choice->contains("logprobs") && (*choice)["logprobs"].is_object() &&
                      (*choice)["logprobs"].contains("token_logprobs") &&
                      (*choice)["logprobs"]["token_logprobs"].is_array();
  if (!scored)
    throw Error(std::string("it does not score prompts (choices[0].logprobs.token_logprobs is missing): ") +
                kScoring);
  const json& all = (*choice)["logprobs"];
  // The first token of the prompt has no logprob: null. A server that ignores echo scores what it wrote.
  const json& values = all["token_logprobs"];
  const bool marked = values.empty() || values[0].is_null();
  const bool repeated = choice->contains("text") && (*choice)["text"].is_string() &&
                        (*choice)["text"].get<std::string>().starts_with(prompt);
  if (!marked && !repeated)
    throw Error(std::string("it does not score prompts (only what it writes itself): ") + kScoring);
  return all;
}

/// How many of the `n` scored tokens belong to the prompt; behind them stands what the server wrote.
size_t prompt_tokens(const json& answer, const json& all, size_t n, const std::string& prompt) {
  const json usage = answer.value("usage", json());
  const auto count = [&](const char* name) -> std::optional<size_t> {
    if (!usage.is_object() || !usage.contains(name) || !usage[name].is_number_unsigned()) return {};
    return usage[name].get<size_t>();
  };
  // Its own count, where it fits the list: the tokens' texts add up to other lengths (<s>, halves of
  // characters), so that offsets may be off.
  const auto read = count("prompt_tokens"), written = count("completion_tokens");
  if (read && written && *read <= n && *written == n - *read) return *read;
  const json offsets = all.value("text_offset", json());
  if (!offsets.is_array()) return n - std::min<size_t>(n, 1);  // one token was asked for
  const size_t length = unicode::count(prompt);
  size_t behind = 0;
  for (size_t i = 1; i < std::min(n, offsets.size()); ++i)
    behind += offsets[i].is_number_unsigned() && offsets[i].get<size_t>() >= length ? 1 : 0;
  return n - behind;
}

/// Without white space, and the marks that raw tokens have for it.
std::string bare(std::string text) {
  for (const std::string& mark :
       {std::string("\xE2\x96\x81"), std::string("\xC4\xA0"), std::string("\xC4\x8A")})
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark))
      text.erase(at, mark.size());
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; });
  return text;
}

/// Whether they are the same, case aside.
bool is_word(const std::string& token, const std::string& word) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  return std::equal(token.begin(), token.end(), word.begin(), word.end(), same);
}

constexpr const char* kNoLogprobs = "it gives no log probabilities (choices[0].logprobs.content is missing)";

/// The first token of a reply and those that the server shows beside it, with their log probabilities, from
/// choices[0].logprobs.content[0]. Throws Error where there are none.
std::vector<std::pair<std::string, double>> first_tokens_of(const json& answer) {
  const json* choice = first_choice(answer);
  const json logprobs = choice ? choice->value("logprobs", json()) : json();
  const json content = logprobs.is_object() ? logprobs.value("content", json()) : json();
  if (!content.is_array() || content.empty() || !content[0].is_object()) throw Error(kNoLogprobs);
  std::vector<std::pair<std::string, double>> tokens;
  const auto add = [&](const json& one) {
    if (!one.is_object() || !one.value("token", json()).is_string() ||
        !one.value("logprob", json()).is_number())
      return;
    const std::string text = one["token"].get<std::string>();
    const bool known =
        std::any_of(tokens.begin(), tokens.end(), [&](const auto& other) { return other.first == text; });
    if (!known) tokens.emplace_back(text, one["logprob"].get<double>());
  };
  const json top = content[0].value("top_logprobs", json());
  if (top.is_array())
    for (const json& one : top) add(one);
  add(content[0]);
  if (tokens.empty()) throw Error(kNoLogprobs);
  return tokens;
}

constexpr const char* kGivenReplies =
    "a query attack needs prompt_logprobs with continue_final_message, which vLLM and hijack serve offer";

}  // namespace

double given_reply_logprob(const json& answer, const std::string& reply) {
  check_scores_given_reply(answer);
  const json& entries = answer["prompt_logprobs"];
  const std::string wanted = bare(reply);
  std::string text;
  double sum = 0;
  for (size_t i = entries.size(); i-- > 0 && bare(text).size() < wanted.size();) {
    const json& entry = entries[i];
    const bool scored = entry.is_object() && !entry.empty() && entry.begin()->is_object() &&
                        entry.begin()->value("logprob", json()).is_number() &&
                        entry.begin()->value("decoded_token", json()).is_string();
    if (!scored) break;
    text = entry.begin()->at("decoded_token").get<std::string>() + text;
    sum += entry.begin()->at("logprob").get<double>();
  }
  if (bare(text) != wanted)
    throw Error("the last tokens that it scores are '" + unicode::excerpt(unicode::lossy(text)) +
                "', not the given reply");
  return sum;
}

bool refuses_to_echo(const std::string& path, const HttpAnswer& answer) {
  const auto says = [&](const char* word) { return answer.body.find(word) != std::string::npos; };
  return path == "/completions" && answer.status >= 400 && (says("echo") || says("logprobs"));
}

std::string said_in_error(const std::string& body) {
  const json answer = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) return "";
  const json error = answer.value("error", json());
  const json message = error.is_object() ? error.value("message", json()) : answer.value("message", json());
  if (!message.is_string()) return "";
  std::string text = message.get<std::string>().substr(0, 200);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return " (it says: " + unicode::lossy(text) + ")";
}

const json* first_choice(const json& answer) {
  if (!answer.is_object() || !answer.contains("choices")) return nullptr;
  const json& choices = answer["choices"];
  return choices.is_array() && !choices.empty() && choices[0].is_object() ? &choices[0] : nullptr;
}

std::vector<double> echoed_logprobs(const json& answer, const std::string& prompt) {
  const json& all = echo_of(answer, prompt);
  const json& values = all["token_logprobs"];
  const size_t end = prompt_tokens(answer, all, values.size(), prompt);
  std::vector<double> logprobs;
  for (size_t i = 1; i < end; ++i) {
    if (!values[i].is_number()) throw Error("it answers with a log probability that is no number");
    logprobs.push_back(values[i].get<double>());
  }
  return logprobs;
}

void check_scores_given_reply(const json& answer) {
  if (!answer.is_object() || !answer.contains("prompt_logprobs") || !answer["prompt_logprobs"].is_array())
    throw Error(std::string("it does not score given replies: ") + kGivenReplies);
}

void check_scores_first_token(const json& answer) {
  first_tokens_of(answer);
}

double beginning_logprob(const json& answer, const std::string& text) {
  const std::string wanted = bare(text);
  double sum = 0, least = 0;
  for (const auto& [token, logprob] : first_tokens_of(answer)) {
    const std::string shown = bare(token);
    if (!shown.empty() && wanted.starts_with(shown)) sum += std::exp(logprob);
    least = std::min(least, logprob);
  }
  return sum > 0 ? std::min(0.0, std::log(sum)) : least;
}

std::optional<double> first_token_logprob(const json& answer, const std::string& word) {
  double sum = 0;
  for (const auto& [token, logprob] : first_tokens_of(answer))
    if (is_word(bare(token), word)) sum += std::exp(logprob);
  if (sum <= 0) return {};
  return std::log(sum);
}

}  // namespace hijack
