#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "attacks/asked_contexts.h"
#include "defenses/pipeline.h"
#include "models/image_encoder.h"
#include "models/vision_language_model.h"
#include "src/experiment/plan/dataset.h"
#include "src/experiment/plan/machine.h"
#include "src/experiment/plan/plan.h"
#include "src/experiment/record/results.h"
#include "src/experiment/record/run_folder.h"
#include "src/experiment/run/question.h"

namespace hijack {

class LockstepSeat;

/// What a run tells while it works.
struct TrialProgress {
  std::string trial;
  int64_t step = 0;
  int64_t steps = 0;
  double loss = 0;
  double success = -1;  ///< best validation success so far; -1 = not validated yet
  int64_t number = 1;   ///< of the trial, from 1, among `trials` of the run
  int64_t trials = 1;
  int64_t steps_after = 0;  ///< of the trials that are still open after this one; -1 = not known
};
struct RunHooks {
  std::function<void(const TrialProgress&)> on_step = {};
  std::function<void(const std::string&)> on_note = {};  ///< what happens next, in words
  std::function<void(const TrialRow&)> on_trial = {};    ///< a trial is done and its row is written
  /// evaluate_run: so many of all trials are done, and the rest takes about so long.
  std::function<void(int64_t done, int64_t all, double seconds_left)> on_evaluated = {};
  std::function<void(const std::string& stack)> on_stack = {};  ///< evaluate_run asks from behind it
  std::stop_token stop = {};
  Machine machine = {};  ///< that works, in place of the configuration's
};

/// A model that a trial's images are shown to, without having been optimized on.
struct TransferModel {
  std::string name;    ///< as rows call it
  std::string folder;  ///< where it lies
  std::shared_ptr<const VisionLanguageModel> model;
  std::shared_ptr<const Behavior> behavior;  ///< prepared with it
};

/// An image encoder that a trial is optimized on, or measured with.
struct NamedEncoder {
  std::string name;  ///< as rows call it
  std::shared_ptr<const ImageEncoder> encoder;
};

/// Everything loaded that a trial needs.
struct TrialSetup {
  const TrialPlan& plan;
  std::shared_ptr<const VisionLanguageModel> model;
  /// Further models that the objective averages over; images live in the space of `model`, which alone is
  /// asked for replies.
  std::vector<std::shared_ptr<const VisionLanguageModel>> ensemble;
  std::shared_ptr<const Behavior> behavior;  ///< prepared
  ContextSet contexts;
  /// Longest reply to ask for, whoever is asked and whatever for (prepared_behavior.h).
  int64_t reply_tokens = 0;
  IdentifiedStack defenses;  ///< in front of the model
  /// Training and test contexts as the objective sees them: asked is what the defenses make of the prompts
  /// when the attack is adaptive.
  AskedContexts seen_train;
  AskedContexts seen_test;
  std::vector<TransferModel> transfer = {};
  std::vector<NamedEncoder> surrogates = {}, transfer_encoders = {};
  /// What the search follows of a victim behind an API (query_score.h): "log-likelihood" or "success"; "" of
  /// a model with weights.
  std::string score = {};
  LockstepSeat* seat = nullptr;  ///< among trials that run side by side (lockstep.h); null: alone

  /// How the model is asked wherever success is measured.
  ReplySettings replies() const { return {reply_tokens, plan.config.sampling, plan.config.seeds[0]}; }
};

struct TrialResult {
  TrialRow row;
  std::vector<ReplyRow> replies;
};

/// One trial from photo to rows: optimize (from the trial's checkpoint, if there is one), choose on
/// validation contexts, save on the lattice, reload, measure budget, loss and replies beside the clean image
/// and random noise. Nothing is reported that was not measured on the reloaded file. nullopt when stopped:
/// the checkpoint then holds every step. A trial whose reloaded file is outside its budget says so in its
/// row, and counts as failed. Of several ranks all search; rank 0 alone measures, and the others have no row.
std::optional<TrialResult> run_trial(const TrialSetup& setup, const RunFolder& folder, const RunHooks& hooks);

/// Writes a trial that is done into its run, and says so.
void write_rows(const TrialResult& result, RunFolder& folder, const RunHooks& hooks);

/// The replies of the bare model to contexts over one image [1,3,H,W], in batches that bound memory.
std::vector<Generated> replies_to(const VisionLanguageModel& model, const Tensor& image,
                                  const std::vector<Context>& contexts, const GenerateOptions& options);
/// The same, greedily.
std::vector<Generated> replies_to(const VisionLanguageModel& model, const Tensor& image,
                                  const std::vector<Context>& contexts, int64_t max_new_tokens);

}  // namespace hijack
