#include "attacks/objectives/reply_success.h"

#include <ATen/ATen.h>

#include <map>
#include <sstream>

#include "attacks/behaviors/text.h"

namespace hijack {
namespace {

std::map<std::string, int64_t> word_counts(const std::string& text) {
  std::istringstream words(simplified(text));
  std::map<std::string, int64_t> counts;
  for (std::string word; words >> word;) ++counts[word];
  return counts;
}

double share_begun(const std::string& reply, const std::string& target) {
  if (target.empty()) return 1;
  const auto ends = std::mismatch(target.begin(), target.end(), reply.begin(), reply.end());
  return static_cast<double>(ends.first - target.begin()) / static_cast<double>(target.size());
}

double share_of_words(const std::string& reply, const std::string& target) {
  const auto said = word_counts(reply);
  int64_t found = 0, all = 0;
  for (const auto& [word, count] : word_counts(target)) {
    all += count;
    const auto there = said.find(word);
    if (there != said.end()) found += std::min(count, there->second);
  }
  return all == 0 ? 1 : static_cast<double>(found) / static_cast<double>(all);
}

}  // namespace

double closeness(const std::string& reply, const std::string& target) {
  return (share_begun(fold(reply), fold(target)) + share_of_words(reply, target)) / 2;
}

ReplySuccess::ReplySuccess(AskReplies ask, std::shared_ptr<const Behavior> behavior, AskedContexts contexts,
                           const Options& options)
    : ask_(std::move(ask)),
      behavior_(std::move(behavior)),
      contexts_(std::move(contexts)),
      options_(options),
      batches_(contexts_.size(), options.batch * options.hardest_of, options.seed) {}

double ReplySuccess::loss_of(const std::vector<size_t>& drawn, const std::vector<Generated>& replies) const {
  const size_t counted = options_.batch == 0 || options_.hardest_of == 1
                             ? drawn.size()
                             : std::min(drawn.size(), static_cast<size_t>(options_.batch));
  std::vector<double> losses;
  for (size_t i = 0; i < drawn.size(); ++i) {
    const Context& context = contexts_.contexts[drawn[i]];
    if (behavior_->succeeded(context, replies[i])) {
      losses.push_back(0);
      continue;
    }
    double nearest = 0;
    for (const std::string& target : behavior_->targets_for(context))
      nearest = std::max(nearest, closeness(replies[i].text, target));
    const double missing = options_.away ? nearest : 1 - nearest;
    losses.push_back(1 + missing / (2 * static_cast<double>(counted)));
  }
  std::sort(losses.begin(), losses.end(), std::greater<>());
  double sum = 0;
  for (size_t i = 0; i < counted; ++i) sum += losses[i];
  return sum / static_cast<double>(counted);
}

Tensor ReplySuccess::loss(const Tensor& image, int64_t step) {
  const at::NoGradGuard no_gradients;
  const std::vector<size_t> drawn = batches_.at(step);
  std::vector<Query> queries;
  for (const size_t i : drawn) queries.push_back(contexts_.asked[i]);
  std::vector<double> losses;
  for (const Tensor& one : images_of(image.detach())) losses.push_back(loss_of(drawn, ask_(one, queries)));
  return at::tensor(losses, at::kFloat).to(image.device());  // [N]
}

}  // namespace hijack
