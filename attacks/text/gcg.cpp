#include "attacks/text/gcg.h"

#include "attacks/objectives/behavior_matching.h"
#include "attacks/objectives/token_losses.h"
#include "attacks/text/placed_suffix.h"
#include "attacks/text/suffix.h"
#include "models/embedding_access.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr int kDrawsPerCandidate = 30;  // draws per candidate before it is given up
constexpr size_t kAtOnce = 96;          // queries per pass of the model
const std::string kUnranked =
    "the swaps of suffix tokens are drawn at random from all printable tokens, not ranked by the gradient: "
    "the model cannot say which tokens of its prompts stand for the suffix, or not all contexts have the "
    "same.";

void check(const GcgConfig& config, std::span<const Context> contexts) {
  if (contexts.empty()) throw Error("The search for a suffix needs at least one context.");
  if (config.steps < 0) throw Error("suffix_steps must be 0 or more.");
  if (config.candidates < 1 || config.candidates > 4096)
    throw Error("suffix_candidates must be from 1 to 4096.");
  if (config.top_k < 0) throw Error("suffix_top_k must be 0 or more.");
  if (!(config.perplexity_weight >= 0 && config.perplexity_weight <= 1))
    throw Error("suffix_perplexity must lie in [0,1].");
}

/// A suffix and the tokens whose swaps are searched.
struct Suffix {
  std::string text;
  TokenIds ids;
};

class Search {
 public:
  Search(const VisionLanguageModel& model, const Tensor& image, std::span<const Context> contexts,
         const Behavior& behavior, const GcgConfig& config, uint64_t seed, const GcgHooks& hooks,
         const std::string& start)
      : model_(model),
        pixels_(model.preprocess(image)),
        contexts_(contexts.begin(), contexts.end()),
        config_(config),
        hooks_(hooks),
        random_(Random(seed).fork("gibberish suffix")),
        pool_(printable_tokens(model.tokenizer())),
        prompts_(model, contexts_) {
    for (const Context& context : contexts_) targets_.push_back(target_tokens(model, behavior, context));
    const Tokenizer& tokenizer = model.tokenizer();
    go_to(start.empty() ? tokenizer.decode(gibberish_ids(tokenizer, pool_, config.tokens, random_), true)
                        : start);
  }

  const std::string& text() const { return now_.text; }
  std::vector<double> losses(const std::vector<Suffix>& candidates) const;
  double loss() const { return losses({now_}).front(); }
  /// Moves to the best of fresh candidates; its loss, or nothing when no swap survives.
  std::optional<double> step();

 private:
  void go_to(const std::string& text);
  std::vector<std::vector<TokenId>> ranked_swaps();
  std::optional<Suffix> draw(const std::vector<std::vector<TokenId>>& swaps);
  std::vector<double> prompt_losses(const std::vector<Suffix>& candidates) const;

  const VisionLanguageModel& model_;
  Pixels pixels_;
  std::vector<Context> contexts_;
  const GcgConfig& config_;
  const GcgHooks& hooks_;
  Random random_;
  std::vector<TokenId> pool_;
  PlacedSuffix prompts_;
  std::vector<TokenIds> targets_;
  Suffix now_;
  std::optional<TextInPlace> placed_;  ///< now_ in the prompts; nothing: now_.ids are those of the text alone
  bool said_ = false;                  ///< that swaps are not ranked
};

void Search::go_to(const std::string& text) {
  placed_ = prompts_.find(text);
  now_ = {text, placed_ ? placed_->ids : model_.tokenizer().encode(text, false)};
}

/// For every place of the suffix the tokens worth trying.
std::vector<std::vector<TokenId>> Search::ranked_swaps() {
  std::vector<std::vector<TokenId>> swaps(now_.ids.size(), pool_);
  const auto keep = std::min<int64_t>(config_.top_k, static_cast<int64_t>(pool_.size()));
  if (keep == 0) return swaps;
  std::vector<Query> queries;
  for (const Context& context : contexts_) queries.push_back(with_suffix(context, now_.text));
  Tensor scores;  // [n,M], of the tokens of the pool
  if (placed_)
    scores = prompt_embeddings_of(model_).swap_scores(pixels_, queries, targets_, now_.text, pool_);
  if (!scores.defined()) {
    if (!std::exchange(said_, true) && hooks_.note) hooks_.note(kUnranked);
    return swaps;
  }
  TORCH_CHECK(scores.size(0) == static_cast<int64_t>(now_.ids.size()), "one row of scores per token");
  const Tensor best = std::get<1>(scores.topk(keep, 1, /*largest=*/false)).cpu().contiguous();
  for (size_t place = 0; place < now_.ids.size(); ++place) {
    swaps[place].clear();
    const int64_t* row = best.const_data_ptr<int64_t>() + static_cast<int64_t>(place) * keep;
    for (int64_t i = 0; i < keep; ++i) swaps[place].push_back(pool_[static_cast<size_t>(row[i])]);
  }
  return swaps;
}

std::optional<Suffix> Search::draw(const std::vector<std::vector<TokenId>>& swaps) {
  for (int tries = 0; tries < kDrawsPerCandidate; ++tries) {
    const auto place = static_cast<size_t>(random_.below(static_cast<int64_t>(now_.ids.size())));
    const TokenId fresh = random_.pick(swaps[place]);
    if (fresh == now_.ids[place]) continue;
    Suffix candidate = now_;
    candidate.ids[place] = fresh;
    if (placed_) {
      auto text = prompts_.exchanged(*placed_, place, fresh);
      if (!text) continue;
      candidate.text = std::move(*text);
    } else {
      if (!survives(model_.tokenizer(), candidate.ids)) continue;
      candidate.text = model_.tokenizer().decode(candidate.ids, true);
    }
    return candidate;
  }
  return {};
}

std::vector<double> Search::prompt_losses(const std::vector<Suffix>& candidates) const {
  auto scorers = hooks_.scorers;
  if (scorers.empty()) scorers = {model_.language_model()};
  std::vector<std::string> prompts;
  for (const Suffix& candidate : candidates)
    for (const Context& context : contexts_) prompts.push_back(with_suffix(context, candidate.text).prompt);
  std::vector<double> result(candidates.size());
  for (const auto& scorer : scorers) {
    const auto nlls = scorer->prompt_nlls(prompts);
    for (size_t i = 0; i < nlls.size(); ++i) result[i / contexts_.size()] += nlls[i].mean().item<double>();
  }
  for (double& sum : result) sum /= static_cast<double>(contexts_.size() * scorers.size());
  return result;
}

std::vector<double> Search::losses(const std::vector<Suffix>& candidates) const {
  const at::NoGradGuard no_gradients;
  std::vector<double> result;
  const size_t at_once = std::max<size_t>(1, kAtOnce / contexts_.size());
  for (size_t begin = 0; begin < candidates.size(); begin += at_once) {
    const size_t end = std::min(candidates.size(), begin + at_once);
    std::vector<Query> queries;
    std::vector<TokenIds> targets;
    for (size_t i = begin; i < end; ++i)
      for (size_t c = 0; c < contexts_.size(); ++c) {
        queries.push_back(with_suffix(contexts_[c], candidates[i].text));
        targets.push_back(targets_[c]);
      }
    if (hooks_.seen) queries = hooks_.seen(queries);
    const auto logits = model_.target_logits(pixels_, queries, targets);
    for (size_t i = 0; i < end - begin; ++i) {
      const auto first = static_cast<std::ptrdiff_t>(i * contexts_.size());
      const auto last = first + static_cast<std::ptrdiff_t>(contexts_.size());
      result.push_back(mean_cross_entropy({logits.begin() + first, logits.begin() + last},
                                          {targets.begin() + first, targets.begin() + last})
                           .item<double>());
    }
  }
  if (config_.perplexity_weight == 0) return result;
  const auto prompts = prompt_losses(candidates);
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = (1 - config_.perplexity_weight) * result[i] + config_.perplexity_weight * prompts[i];
  return result;
}

std::optional<double> Search::step() {
  const auto swaps = ranked_swaps();
  std::vector<Suffix> candidates;
  for (int64_t i = 0; i < config_.candidates; ++i)
    if (auto candidate = draw(swaps)) candidates.push_back(std::move(*candidate));
  if (candidates.empty()) return {};
  const auto measured = losses(candidates);
  const auto best = std::min_element(measured.begin(), measured.end());
  go_to(candidates[static_cast<size_t>(best - measured.begin())].text);
  return *best;
}

}  // namespace

GcgResult gcg_suffix(const VisionLanguageModel& model, const Tensor& image, std::span<const Context> contexts,
                     const Behavior& behavior, const GcgConfig& config, uint64_t seed, const GcgHooks& hooks,
                     const std::string& start) {
  check(config, contexts);
  const auto few = contexts.first(
      config.contexts > 0 ? std::min<size_t>(contexts.size(), static_cast<size_t>(config.contexts))
                          : contexts.size());
  Search search(model, image, few, behavior, config, seed, hooks, start);
  GcgResult result{search.text(), search.loss(), {}};
  for (int64_t step = 0; step < config.steps && !hooks.stop.stop_requested(); ++step) {
    const auto loss = search.step();
    if (!loss) break;
    result.losses.push_back(*loss);
    if (*loss < result.loss) result = {search.text(), *loss, std::move(result.losses)};
    if (hooks.after_step) hooks.after_step(step + 1, *loss);
  }
  return result;
}

double suffix_loss(const VisionLanguageModel& model, const Pixels& pixels, std::span<const Context> contexts,
                   const Behavior& behavior, const std::string& suffix, double perplexity_weight) {
  const at::NoGradGuard no_gradients;
  std::vector<Query> queries;
  std::vector<TokenIds> targets;
  std::vector<std::string> texts;
  for (const Context& context : contexts) {
    queries.push_back(with_suffix(context, suffix));
    targets.push_back(target_tokens(model, behavior, context));
    texts.push_back(queries.back().prompt);
  }
  double prompts = 0;
  if (perplexity_weight > 0)
    for (const Tensor& nll : model.language_model()->prompt_nlls(texts)) prompts += nll.mean().item<double>();
  const double loss =
      mean_cross_entropy(model.target_logits(pixels, queries, targets), targets).item<double>();
  return (1 - perplexity_weight) * loss + perplexity_weight * prompts / static_cast<double>(contexts.size());
}

}  // namespace hijack
