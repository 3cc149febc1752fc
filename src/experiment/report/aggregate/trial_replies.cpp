#include "attacks/behavior.h"
#include "src/base/error.h"
#include "src/base/text.h"
#include "src/experiment/report/aggregate/aggregate.h"

namespace hijack::report {

Query without_suffix(const TrialRow& trial, Query context) {
  if (!trial.suffix.empty() && context.prompt.ends_with(" " + trial.suffix))
    context.prompt.resize(context.prompt.size() - trial.suffix.size() - 1);
  return context;
}

namespace {

std::string place_of(const ReplyRow& reply, const Query& context) {
  return reply.photo + '\n' + std::to_string(reply.draw) + '\n' + context_key(context);
}

}  // namespace

std::vector<ContextReplies> held_out_replies(const TrialRef& trial) {
  std::map<std::string, const ReplyRow*> clean;
  for (const ReplyRow& reply : trial.run->replies)
    if (reply.trial == trial.trial->id && reply.model.empty() && reply.condition == "clean" &&
        reply.split == "test" && reply.defense == trial.trial->defense &&
        reply.sampling == trial.trial->sampling)
      clean.emplace(place_of(reply, reply.context), &reply);
  std::vector<ContextReplies> result;
  for (const ReplyRow& reply : trial.run->replies) {
    if (reply.trial != trial.trial->id || reply.condition != attack_condition(*trial.trial) ||
        reply.split != "test" || reply.defense != trial.trial->defense ||
        reply.sampling != trial.trial->sampling || !reply.model.empty())
      continue;
    const auto found = clean.find(place_of(reply, without_suffix(*trial.trial, reply.context)));
    result.push_back({&reply, found == clean.end() ? nullptr : found->second});
  }
  return result;
}

std::optional<double> mean_edit_distance(const TrialRef& trial) {
  std::unique_ptr<Behavior> behavior;
  try {
    behavior = make_behavior({trial.trial->behavior, trial.trial->target});
  } catch (const Error&) {
    return std::nullopt;  // rows of another version
  }
  // the others have no target of their own: it is what a model said, or what it is led away from
  if (!behavior->ends_reply() || behavior->default_objective() != "behavior") return std::nullopt;
  constexpr size_t kLongest = 2000;
  std::vector<double> distances;
  for (const ContextReplies& pair : held_out_replies(trial)) {
    const std::string& own = pair.attack->target;
    const std::string target = own.empty() ? behavior->target_for(pair.attack->context) : own;
    distances.push_back(static_cast<double>(
        edit_distance_in_characters(pair.attack->reply.substr(0, kLongest), target.substr(0, kLongest))));
  }
  if (distances.empty()) return std::nullopt;
  return mean(distances);
}

}  // namespace hijack::report
