#include "src/experiment/inside/clamp_check.h"

#include <ATen/ATen.h>

#include "src/base/random.h"
#include "src/base/tensor_math.h"

namespace hijack {
namespace {

class ClampedReplies {
 public:
  ClampedReplies(const VisionLanguageModel& model, const std::vector<ClampTrial>& trials,
                 const std::vector<Query>& queries, std::stop_token stop)
      : model_(model), trials_(trials), queries_(queries), stop_(std::move(stop)) {}

  /// Adds the replies under some changes to the row; clean: to the photos that nobody has changed.
  void add(ClampRow& row, const std::vector<StateChange>& changes, bool clean = false) const {
    for (const ClampTrial& trial : trials_)
      for (size_t begin = 0; begin < queries_.size() && !stop_.stop_requested(); begin += kRepliesAtOnce) {
        const size_t count = std::min(kRepliesAtOnce, queries_.size() - begin);
        add_some(row, trial, std::span(queries_).subspan(begin, count), changes, clean);
      }
  }
  bool stopped() const { return stop_.stop_requested(); }

 private:
  void add_some(ClampRow& row, const ClampTrial& trial, std::span<const Query> queries,
                const std::vector<StateChange>& changes, bool clean) const {
    const Pixels pixels = model_.preprocess(on_device(clean ? trial.clean : trial.hijack, model_.device()));
    const auto replies = state_hooks_of(model_).changed_generate(
        pixels, queries, {.max_new_tokens = trial.reply_tokens, .stop = stop_}, changes);
    for (size_t i = 0; i < queries.size(); ++i) {
      ++row.n;
      row.exact += trial.behavior->succeeded(queries[i], replies[i]);
      row.substring += trial.behavior->matches_substring(queries[i], replies[i]);
    }
  }

  const VisionLanguageModel& model_;
  const std::vector<ClampTrial>& trials_;
  const std::vector<Query>& queries_;
  std::stop_token stop_;
};

StateChange held(const SparseAutoencoder& sae, const ClampSet& set, const std::vector<int64_t>& latents) {
  const Tensor which = at::tensor(latents, at::kLong);
  return clamped(sae, which, set.clean_mean.index_select(0, which), set.at);
}

/// As large a change as `held` makes with the strongest.
StateChange pushed_at_random(const SparseAutoencoder& sae, const ClampSet& set, Random& random) {
  const Tensor which = at::tensor(set.strongest, at::kLong);
  const Tensor drawn = random.normal_tensor({sae.width()});
  return pushed(sae, which, set.clean_mean.index_select(0, which), drawn / drawn.norm(), set.at);
}

std::vector<int64_t> drawn_latents(const ClampSet& set, Random& random) {
  std::vector<int64_t> all = set.active;
  random.shuffle(all);
  all.resize(std::min(all.size(), set.strongest.size()));
  return all;
}

/// One row with the strongest latents of some sets, and one with random ones.
void add_sets(std::vector<ClampRow>& rows, const ClampedReplies& replies, const SparseAutoencoder& sae,
              const std::vector<const ClampSet*>& sets, const std::string& tokens, uint64_t seed) {
  ClampRow strongest{.tokens = tokens, .what = "strongest"};
  std::vector<StateChange> changes;
  for (const ClampSet* set : sets) {
    strongest.latents.insert(strongest.latents.end(), set->strongest.begin(), set->strongest.end());
    changes.push_back(held(sae, *set, set->strongest));
  }
  replies.add(strongest, changes);
  ClampRow random{.tokens = tokens, .what = "random", .draws = kRandomClamps};
  ClampRow direction{.tokens = tokens, .what = "random direction", .draws = kRandomClamps};
  for (int draw = 0; draw < kRandomClamps; ++draw) {
    Random stream = Random(seed).fork("random latents", static_cast<uint64_t>(draw));
    std::vector<StateChange> others, pushes;
    for (const ClampSet* set : sets) {
      const std::vector<int64_t> latents = drawn_latents(*set, stream);
      if (!latents.empty()) others.push_back(held(sae, *set, latents));
      pushes.push_back(pushed_at_random(sae, *set, stream));
      random.latents.insert(random.latents.end(), latents.begin(), latents.end());
    }
    replies.add(random, others);
    replies.add(direction, pushes);
  }
  if (replies.stopped()) return;
  rows.push_back(std::move(strongest));
  if (!random.latents.empty()) rows.push_back(std::move(random));
  rows.push_back(std::move(direction));
}

}  // namespace

std::vector<ClampRow> clamp_check(const VisionLanguageModel& model, const SparseAutoencoder& sae,
                                  const std::vector<ClampTrial>& trials, const std::vector<ClampSet>& sets,
                                  const std::vector<Query>& queries, uint64_t seed, std::stop_token stop) {
  const ClampedReplies replies(model, trials, queries, std::move(stop));
  std::vector<ClampRow> rows = {{.tokens = "", .what = "nothing"}, {.tokens = "", .what = "clean image"}};
  replies.add(rows[0], {});
  replies.add(rows[1], {}, /*clean=*/true);
  if (replies.stopped()) return {};
  std::vector<const ClampSet*> filled;
  for (const ClampSet& set : sets)
    if (!set.strongest.empty()) filled.push_back(&set);
  for (const ClampSet* set : filled) add_sets(rows, replies, sae, {set}, set->tokens, seed);
  if (filled.size() > 1) add_sets(rows, replies, sae, filled, "image and text", seed + 1);
  return rows;
}

}  // namespace hijack
