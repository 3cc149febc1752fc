#include "src/experiment/run/trial_judge.h"

#include "defenses/kinds.h"
#include "src/base/tensor_math.h"
#include "src/experiment/run/defense_setup.h"
#include "src/experiment/run/shown_images.h"

namespace hijack {
namespace {

template <class One>
std::vector<One> part(const std::vector<One>& all, size_t begin, size_t end) {
  return {all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end)};
}

}  // namespace

TrialJudge::TrialJudge(const TrialSetup& setup, const AttackSpace& space, std::shared_ptr<Ranks> ranks)
    : space_(space),
      ranks_(std::move(ranks)),
      system_(protect(setup.defenses.defenses,
                      bare_model(stack_model(setup.defenses.defenses, setup.model), setup.replies()))) {}

std::vector<Submission> TrialJudge::submissions(const Tensor& image, const Tensor& photo,
                                                const Prompts& prompts, const std::string& split,
                                                Location patch_at) const {
  const auto& contexts = prompts.contexts.split(split);
  const auto images = shown_images(space_.constraint, on_device(image, at::kCPU), on_device(photo, at::kCPU),
                                   patch_at, space_.config.seeds[0], split, contexts.size());
  std::vector<Submission> submissions;
  for (size_t i = 0; i < contexts.size(); ++i) submissions.push_back({images[i], contexts[i]});
  return submissions;
}

std::vector<Reply> TrialJudge::replies(const Tensor& image, const Tensor& photo, const Prompts& prompts,
                                       const std::string& split, Location patch_at) const {
  return pass_on(submissions(image, photo, prompts, split, patch_at), system_);
}

double TrialJudge::validation_success(const Tensor& image, const Prompts& prompts) const {
  const auto& all = prompts.contexts.validation;
  const auto [begin, end] = ranks_ ? ranks_->share(all.size()) : std::pair(size_t{0}, all.size());
  const std::vector<Context> contexts = part(all, begin, end);
  int64_t obeyed = 0;
  for (const Tensor& photo : space_.photos) {
    const auto asked =
        submissions(space_.shown(image, photo), photo, prompts, "validation", space_.place_in_attack);
    if (begin < end) obeyed += successes(prompts, contexts, pass_on(part(asked, begin, end), system_));
  }
  double sum = static_cast<double>(obeyed);
  if (ranks_) sum = ranks_->sum(at::full({1}, sum, at::kDouble)).item<double>();
  return sum / static_cast<double>(all.size() * space_.photos.size());
}

int64_t successes(const Prompts& prompts, const std::vector<Context>& contexts,
                  const std::vector<Reply>& replies) {
  int64_t count = 0;
  for (size_t i = 0; i < contexts.size(); ++i)
    count +=
        !replies[i].rejected && prompts.behavior->succeeded(contexts[i], {replies[i].text, replies[i].cut});
  return count;
}

}  // namespace hijack
