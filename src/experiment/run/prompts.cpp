#include "src/experiment/run/prompts.h"

#include "attacks/text/suffix.h"
#include "attacks/text/suffixed.h"

namespace hijack {

Prompts prompts_of(const TrialSetup& setup) {
  return {setup.behavior, setup.contexts, setup.seen_train, setup.seen_test};
}

Prompts prompts_with(const std::string& suffix, const TrialSetup& setup) {
  Prompts prompts{std::make_shared<SuffixedBehavior>(setup.behavior, suffix), setup.contexts, {}, {}};
  for (auto* split : {&prompts.contexts.train, &prompts.contexts.validation, &prompts.contexts.test})
    for (Context& context : *split) context = with_suffix(context, suffix);
  prompts.seen_train = prompts.contexts.train;  // adaptive attacks have no suffix (check_method)
  prompts.seen_test = prompts.contexts.test;
  return prompts;
}

}  // namespace hijack
