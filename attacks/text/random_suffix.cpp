#include "attacks/text/random_suffix.h"

#include "src/base/error.h"
#include "src/base/random.h"

namespace hijack {
namespace {

constexpr int kTries = 1000;  // candidates per position before it counts as impossible

bool printable(const std::string& text) {
  bool visible = false;
  for (char c : text) {
    if (c < ' ' || c > '~') return false;
    visible = visible || c != ' ';
  }
  return visible;
}

std::vector<TokenId> printable_tokens(const Tokenizer& tokenizer) {
  std::vector<TokenId> pool;
  for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id) {
    if (tokenizer.is_special(id)) continue;
    try {
      if (printable(tokenizer.decode({&id, 1}, true))) pool.push_back(id);
    } catch (const Error&) {  // a hole in the vocabulary
    }
  }
  return pool;
}

bool survives(const Tokenizer& tokenizer, const TokenIds& ids) {
  return tokenizer.encode(tokenizer.decode(ids, true), false) == ids;
}

TokenIds gibberish_ids(const Tokenizer& tokenizer, const std::vector<TokenId>& pool, int64_t tokens,
                       Random& random) {
  if (tokens < 1 || tokens > 1000)
    throw Error("A suffix has 1 to 1000 tokens, not " + std::to_string(tokens) + ".");
  TokenIds ids;
  for (int tries = 0; !pool.empty() && tries < kTries; ++tries) {
    ids.push_back(random.pick(pool));
    if (!survives(tokenizer, ids)) {
      ids.pop_back();
      continue;
    }
    if (static_cast<int64_t>(ids.size()) == tokens) return ids;
    tries = 0;
  }
  throw Failure("No suffix of " + std::to_string(tokens) + " printable tokens survives the tokenizer.");
}

/// One token swapped, so that the text is tokenized to the same ids; empty when none was found.
TokenIds swapped(const Tokenizer& tokenizer, const std::vector<TokenId>& pool, const TokenIds& now,
                 Random& random) {
  for (int tries = 0; tries < kTries; ++tries) {
    TokenIds candidate = now;
    TokenId& chosen = candidate[static_cast<size_t>(random.below(static_cast<int64_t>(candidate.size())))];
    const TokenId fresh = random.pick(pool);
    if (fresh == chosen) continue;
    chosen = fresh;
    if (survives(tokenizer, candidate)) return candidate;
  }
  return {};
}

}  // namespace

Context with_suffix(const Context& context, const std::string& suffix) {
  Context longer = context;
  longer.prompt += " " + suffix;
  return longer;
}

std::string gibberish_suffix(const Tokenizer& tokenizer, int64_t tokens, uint64_t seed) {
  Random random = Random(seed).fork("gibberish suffix");
  return tokenizer.decode(gibberish_ids(tokenizer, printable_tokens(tokenizer), tokens, random), true);
}

double suffix_loss(const VisionLanguageModel& model, const Pixels& pixels, std::span<const Context> contexts,
                   const std::string& target, const std::string& suffix) {
  at::NoGradGuard no_grad;
  TokenIds wanted = model.target_ids(target);
  for (TokenId end : model.end_of_reply()) wanted.push_back(end);
  std::vector<Query> queries;
  for (const Context& context : contexts) queries.push_back(with_suffix(context, suffix));
  const std::vector<TokenIds> targets(queries.size(), wanted);
  const Tensor labels = at::tensor(wanted, at::kLong);
  double sum = 0;
  for (const Tensor& logits : model.target_logits(pixels, queries, targets))  // [T,V]
    sum += at::cross_entropy_loss(logits.to(at::kCPU, at::kFloat), labels).item<double>();
  return sum / static_cast<double>(queries.size());
}

std::string random_search_suffix(const VisionLanguageModel& model, const Tensor& image,
                                 std::span<const Context> contexts, const std::string& target, int64_t tokens,
                                 int64_t iterations, uint64_t seed) {
  if (contexts.empty()) throw Error("The search for a suffix needs at least one context.");
  if (model.target_ids(target).empty()) throw Error("The target of the suffix search is empty.");
  if (iterations < 0) throw Error("The suffix search needs a number of iterations from 0.");
  at::NoGradGuard no_grad;
  const Tokenizer& tokenizer = model.tokenizer();
  const std::vector<TokenId> pool = printable_tokens(tokenizer);
  Random random = Random(seed).fork("gibberish suffix");
  TokenIds best = gibberish_ids(tokenizer, pool, tokens, random);
  const Pixels pixels = model.preprocess(image);
  const auto loss_of = [&](const TokenIds& ids) {
    return suffix_loss(model, pixels, contexts, target, tokenizer.decode(ids, true));
  };
  double best_loss = loss_of(best);
  for (int64_t i = 0; i < iterations; ++i) {
    const TokenIds candidate = swapped(tokenizer, pool, best, random);
    if (candidate.empty()) break;  // no neighbor survives
    const double loss = loss_of(candidate);
    if (loss < best_loss) {
      best = candidate;
      best_loss = loss;
    }
  }
  return tokenizer.decode(best, true);
}

}  // namespace hijack
