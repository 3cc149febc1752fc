#include "src/experiment/run/trial_group.h"

#include <nlohmann/json.hpp>

#include "models/families/image_prompt_model.h"
#include "models/prefix/images_at_once.h"
#include "src/experiment/parallel/lockstep.h"
#include "src/experiment/plan/methods.h"

namespace hijack {
namespace {

/// Models of ensembles, encoders and endpoints are asked one after the other, whoever waits for whom; photos
/// of a universal image go together already.
bool goes_in_lockstep(const AttackConfig& config) {
  return method_of(config) == Method::kImage && config.victim.empty() && config.ensemble.empty() &&
         !config.surrogate.any() && !asks_nobody(config) && !config.universal && config.queries == 0 &&
         config.images.size() == 1;
}

nlohmann::json settings_in_common(AttackConfig config) {
  nlohmann::json settings = fields_to_json(fields_of(config));
  for (const char* name : {"image", "seed", "epsilon"}) settings.erase(name);
  return settings;
}

int64_t images_of_step(const AttackConfig& config) {
  return (config.augmentation.any() ? config.augmentation.draws : 1) *
         (config.defense.adaptive ? config.defense.draws : 1);
}

/// Trials while they run side by side.
class Group {
 public:
  Group(std::vector<TrialSetup> setups, RunFolder& folder, const RunHooks& hooks)
      : setups_(std::move(setups)),
        folder_(folder),
        hooks_(hooks),
        seats_(setups_.size()),
        results_(setups_.size()),
        progress_(setups_.size()) {
    for (size_t i = 0; i < setups_.size(); ++i) {
      TrialSetup& setup = setups_[i];
      LockstepSeat& seat = seats_.seat(i);
      setup.seat = &seat;
      // other decodings are the business of the model itself
      if (stack_decoding(setup.defenses.defenses).plain()) setup.model = seat.in_turn(setup.model);
      RunHooks own = hooks;
      own.stop = seat.stop();
      own.on_step = [this, i](const TrialProgress& now) {
        progress_[i] = now;
        stepped_ = true;
      };
      own_hooks_.push_back(std::move(own));
      progress_[i].steps = planned_steps(setup.plan.config);
    }
  }

  /// Throws what the first trial that failed has thrown.
  bool run() {
    seats_.run([&](size_t i) { results_[i] = run_trial(setups_[i], folder_, own_hooks_[i]); },
               [&] { between(); });
    for (size_t i = 0; i < setups_.size(); ++i)
      if (const auto failure = seats_.failure(i)) std::rethrow_exception(failure);
    return written_ == setups_.size();
  }

 private:
  void between() {
    bool stop = hooks_.stop.stop_requested();
    for (size_t i = 0; i < setups_.size(); ++i) {
      if (stop) seats_.seat(i).request_stop();
      stop = stop || seats_.failure(i) != nullptr;
    }
    for (; written_ < setups_.size() && seats_.ended(written_) && results_[written_]; ++written_) {
      TrialResult& result = *results_[written_];
      write_rows(result, folder_, hooks_);
      result.replies.clear();
    }
    if (std::exchange(stepped_, false) && hooks_.on_step) hooks_.on_step(progress());
  }

  /// Of all trials as if they were one: steps added up, losses and successes averaged.
  TrialProgress progress() const {
    TrialProgress all{.trial = setups_.front().plan.id};
    if (setups_.size() > 1) all.trial += " and " + std::to_string(setups_.size() - 1) + " more";
    double losses = 0, successes = 0;
    int64_t begun = 0, validated = 0;
    for (size_t i = 0; i < setups_.size(); ++i) {
      const TrialProgress& one = progress_[i];
      all.steps += one.steps;
      all.step += seats_.ended(i) ? one.steps : one.step;
      if (one.step == 0) continue;
      losses += one.loss, ++begun;
      if (one.success >= 0) successes += one.success, ++validated;
    }
    all.loss = losses / static_cast<double>(std::max<int64_t>(begun, 1));
    if (validated > 0) all.success = successes / static_cast<double>(validated);
    return all;
  }

  std::vector<TrialSetup> setups_;
  RunFolder& folder_;
  const RunHooks& hooks_;
  Lockstep seats_;
  std::vector<RunHooks> own_hooks_;
  std::vector<std::optional<TrialResult>> results_;
  std::vector<TrialProgress> progress_;
  size_t written_ = 0;    ///< rows, of the first trials
  bool stepped_ = false;  ///< some trial, since progress was shown
};

}  // namespace

size_t end_of_alike(const std::vector<TrialPlan>& plans, size_t first) {
  size_t end = first + 1;
  if (!goes_in_lockstep(plans[first].config)) return end;
  const nlohmann::json common = settings_in_common(plans[first].config);
  while (end < plans.size() && plans[end].config.images.size() == 1 &&
         settings_in_common(plans[end].config) == common)
    ++end;
  return end;
}

size_t trials_at_once(const AttackConfig& config, const VisionLanguageModel& model) {
  const int64_t images = image_batch_from_name(config.image_batch);
  if (images == kImagesByMemory || dynamic_cast<const ImagePromptModel*>(&model) == nullptr) return 1;
  return static_cast<size_t>(std::max<int64_t>(1, images / images_of_step(config)));
}

bool finish_together(const std::vector<const TrialPlan*>& plans, RunFolder& folder, const RunHooks& hooks,
                     const ModelSource& models, DefenseMaker& defenses) {
  std::vector<TrialSetup> setups;
  std::exception_ptr failed;  // the trials before it come first
  for (const TrialPlan* plan : plans) {
    if (hooks.stop.stop_requested()) return false;
    try {
      setups.push_back(set_up(*plan, models(plan->config), defenses));
    } catch (...) {
      failed = std::current_exception();
      break;
    }
  }
  const bool done = setups.empty() || Group(std::move(setups), folder, hooks).run();
  if (failed && done) std::rethrow_exception(failed);
  return done;
}

}  // namespace hijack
