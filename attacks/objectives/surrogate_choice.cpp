#include "attacks/objectives/surrogate_choice.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

#include "src/base/error.h"

namespace hijack {
namespace {

constexpr const char* kTaken = "surrogate_steps";
constexpr const char* kMean = "surrogate_means";
constexpr const char* kCurrent = "surrogate_choice";
constexpr const char* kCounters = "surrogate_counters";  // choices, held

template <class Value>
std::vector<Value> values_of(const ObjectiveState& state, const char* name, at::ScalarType type) {
  const auto found = state.find(name);
  if (found == state.end() || found->second.scalar_type() != type || found->second.dim() != 1)
    throw Error(std::string("The checkpoint has no ") + name +
                " of the choice of surrogates: it is another attack's.");
  const Tensor tensor = found->second.cpu().contiguous();
  return {tensor.const_data_ptr<Value>(), tensor.const_data_ptr<Value>() + tensor.numel()};
}

}  // namespace

void check(const SurrogateChoiceConfig& config) {
  if (config.rule != "all" && config.rule != "random" && config.rule != "ucb")
    throw Error("--surrogate-choice is '" + config.rule.substr(0, 40) + "', but must be all, random or ucb.");
  if (config.per_step < 0 || config.per_step > 1000)
    throw Error("--surrogates-per-step must be from 0 to 1000.");
  if (config.rule == "all" && config.per_step > 0)
    throw Error(
        "--surrogates-per-step takes some of the surrogates: say how they are chosen, --surrogate-choice ucb "
        "or random, or give 0 for all.");
  if (config.rule != "all" && config.per_step == 0)
    throw Error("--surrogate-choice " + config.rule + " needs to know how many: --surrogates-per-step 16.");
  if (config.every < 1 || config.every > 1'000'000)
    throw Error("--surrogate-choice-every must be from 1 to 1000000.");
  if (!(config.exploration >= 0 && config.exploration <= 1000))
    throw Error("--ucb-exploration must lie in [0,1000].");
  if (!(config.memory > 0 && config.memory <= 1)) throw Error("--ucb-memory must lie in (0,1].");
}

SurrogateChoice::SurrogateChoice(const SurrogateChoiceConfig& config, size_t surrogates, uint64_t seed)
    : config_(config),
      all_(!config.chooses(surrogates)),
      count_(all_ ? surrogates : static_cast<size_t>(config.per_step)),
      seed_(seed),
      taken_(surrogates),
      mean_(surrogates),
      losses_(surrogates) {
  restart();
}

void SurrogateChoice::restart() {
  std::fill(taken_.begin(), taken_.end(), 0);
  std::fill(mean_.begin(), mean_.end(), 0);
  std::fill(losses_.begin(), losses_.end(), Losses{});
  choices_ = held_ = 0;
  current_.clear();
  if (!all_) return;
  current_.resize(count_);
  std::iota(current_.begin(), current_.end(), size_t{0});
}

std::vector<size_t> SurrogateChoice::drawn_from(std::vector<size_t> candidates) const {
  Random random = Random(seed_).fork("choice of surrogates", static_cast<uint64_t>(choices_));
  random.shuffle(candidates);
  candidates.resize(count_);
  return candidates;
}

std::vector<size_t> SurrogateChoice::by_bandit() const {
  std::vector<size_t> fresh, order(taken_.size());
  for (size_t i = 0; i < taken_.size(); ++i)
    if (taken_[i] == 0) fresh.push_back(i);
  if (fresh.size() > count_) return drawn_from(fresh);
  const auto steps = static_cast<double>(std::accumulate(taken_.begin(), taken_.end(), int64_t{0}));
  std::vector<double> value(taken_.size(), std::numeric_limits<double>::infinity());
  for (size_t i = 0; i < taken_.size(); ++i)
    if (taken_[i] > 0)
      value[i] = mean_[i] + std::sqrt(config_.exploration * std::log(steps) / static_cast<double>(taken_[i]));
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return value[a] > value[b]; });
  order.resize(count_);
  return order;
}

const std::vector<size_t>& SurrogateChoice::current() {
  if (!current_.empty()) return current_;
  std::vector<size_t> every(taken_.size());
  std::iota(every.begin(), every.end(), size_t{0});
  current_ = config_.rule == "random" ? drawn_from(every) : by_bandit();
  std::sort(current_.begin(), current_.end());
  ++choices_;
  held_ = 0;
  return current_;
}

void SurrogateChoice::learn(size_t surrogate, const Tensor& loss) {
  if (all_) return;
  Losses& losses = losses_.at(surrogate);
  const Tensor sum = loss.sum();
  losses.sum = losses.sum.defined() ? losses.sum + sum : sum;
  losses.count += loss.numel();
}

void SurrogateChoice::end_step() {
  if (all_) return;
  for (const size_t i : current_) {
    if (losses_[i].count == 0) continue;
    const double reward = losses_[i].sum.item<double>() / static_cast<double>(losses_[i].count);
    mean_[i] = (1 - config_.memory) * mean_[i] + config_.memory * reward;
    ++taken_[i];
    losses_[i] = {};
  }
  if (++held_ >= config_.every) current_.clear();
}

ObjectiveState SurrogateChoice::state() const {
  if (all_) return {};
  const std::vector<int64_t> current(current_.begin(), current_.end());
  return {{kTaken, at::tensor(taken_, at::kLong)},
          {kMean, at::tensor(mean_, at::kDouble)},
          {kCurrent, at::tensor(current, at::kLong)},
          {kCounters, at::tensor({choices_, held_}, at::kLong)}};
}

void SurrogateChoice::restore(const ObjectiveState& state) {
  restart();
  if (all_ || state.empty()) return;
  const auto taken = values_of<int64_t>(state, kTaken, at::kLong),
             current = values_of<int64_t>(state, kCurrent, at::kLong),
             counters = values_of<int64_t>(state, kCounters, at::kLong);
  const auto mean = values_of<double>(state, kMean, at::kDouble);
  const auto n = static_cast<int64_t>(taken_.size());
  const bool fits = taken.size() == taken_.size() && mean.size() == mean_.size() && counters.size() == 2 &&
                    (current.empty() || current.size() == count_) &&
                    std::all_of(current.begin(), current.end(), [n](int64_t i) { return i >= 0 && i < n; }) &&
                    std::all_of(taken.begin(), taken.end(), [](int64_t steps) { return steps >= 0; });
  if (!fits) throw Error("The checkpoint's choice of surrogates does not fit those of this attack.");
  taken_ = taken;
  mean_ = mean;
  current_.assign(current.begin(), current.end());
  choices_ = counters[0];
  held_ = counters[1];
}

std::vector<int64_t> steps_of_surrogates(const ObjectiveState& state) {
  return state.contains(kTaken) ? values_of<int64_t>(state, kTaken, at::kLong) : std::vector<int64_t>{};
}

}  // namespace hijack
