#include "src/experiment/run/trial_parts.h"

#include <chrono>

#include "src/experiment/parallel/lockstep.h"

namespace hijack {

TrialParts::TrialParts(const TrialSetup& setup_in, const RunFolder& folder_in, const RunHooks& hooks_in)
    : setup(setup_in),
      config(setup.plan.config),
      model(*setup.model),
      folder(folder_in),
      hooks(hooks_in),
      space(model, config),
      objectives(setup, space, hooks.machine.ranks),
      judge(setup, space, hooks.machine.ranks) {}

double TrialParts::seconds() const {
  if (setup.seat != nullptr) return setup.seat->seconds();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void TrialParts::note(const std::string& text) const {
  if (hooks.on_note) hooks.on_note(id() + ": " + text);
}

void TrialParts::progress(int64_t step, int64_t steps, double loss, double success) const {
  if (hooks.on_step)
    hooks.on_step({.trial = id(), .step = step, .steps = steps, .loss = loss, .success = success});
}

}  // namespace hijack
