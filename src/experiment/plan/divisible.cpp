#include "src/experiment/plan/divisible.h"

#include "src/base/error.h"
#include "src/experiment/plan/methods.h"

namespace hijack {
namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& why) {
  throw Error("--distributed does not go with " + what + ", " + why + ": leave one of them out.");
}

}  // namespace

void check_divisible(const AttackConfig& config) {
  if (method_of(config) != Method::kImage)
    refuse("method " + config.method, "which is not a gradient over the contexts of a step");
  if (!config.victim.empty()) refuse("--victim", "whose budget of calls one process keeps");
  if (asks_nobody(config)) refuse("--surrogate without --model", "which has no contexts to divide");
  if (config.cropa.radius > 0)
    refuse("--cropa-radius", "whose prompts drift from step to step in the process that has them");
  if (!config.augmentation.templates.empty())
    refuse("--templates", "whose chats are drawn for all contexts of a step one after the other");
  if (config.objective.hardest_of > 1) refuse("--hardest-of", "which compares all contexts of a step");
  const auto terms = parse_objective(config.objective, *make_behavior(config.behavior));
  if (std::none_of(terms.begin(), terms.end(), reads_prompts))
    refuse("objective " + terms.front().name, "which has no contexts to divide");
}

}  // namespace hijack
