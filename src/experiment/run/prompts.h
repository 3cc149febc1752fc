#pragma once
#include <memory>
#include <string>

#include "src/experiment/run/trial.h"

namespace hijack {

/// How the model is asked in a trial: with the contexts of the setup, or with a suffix after each prompt.
struct Prompts {
  std::shared_ptr<const Behavior> behavior;
  ContextSet contexts;
  AskedContexts seen_train, seen_test;  ///< what objectives see of them (TrialSetup)
};

Prompts prompts_of(const TrialSetup& setup);
Prompts prompts_with(const std::string& suffix, const TrialSetup& setup);

}  // namespace hijack
