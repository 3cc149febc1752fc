#include "src/experiment/inside/feature_sources.h"

#include <ATen/ATen.h>

#include "defenses/detectors/last_states.h"
#include "defenses/detectors/linear_probe.h"
#include "defenses/detectors/unrelated_questions.h"
#include "defenses/make_defense.h"
#include "models/sae/sae.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/nearest.h"
#include "src/base/registry.h"
#include "src/experiment/inside/fits.h"
#include "src/experiment/run/defense_setup.h"
#include "src/experiment/run/runner.h"

namespace hijack {
namespace {

constexpr int64_t kMostLatents = 64;

FeatureSource questions(const DetectorExamples& examples, const InsideConfig& config) {
  std::vector<std::string> replies;
  for (const DetectorExample& one : examples.all) replies.push_back(one.reply);
  return {UnrelatedQuestions::kName,
          QuestionFeatures(examples.model, config.tokens).of(examples.submissions(), replies), logistic_fit};
}

/// States [n,D] of the residual stream where the model is about to reply.
Tensor last_states(const DetectorExamples& examples, int64_t layer, const std::string& detector) {
  return LastStates({.model = examples.model}, {layer}, detector)
      .of(examples.submissions())
      .select(1, 0)
      .to(at::kDouble);
}

template <Scorer (*fit)(const Tensor&, const Tensor&)>
FeatureSource states(const std::string& name, const DetectorExamples& examples, const InsideConfig& config) {
  const int64_t layers = state_hooks_of(*examples.model).layers();
  const int64_t layer = config.layer > 0 ? config.layer : (layers + 1) / 2;
  check_hook({HookPoint::kResidual, layer}, layers);
  return {name + ", layer " + std::to_string(layer), last_states(examples, layer, name), fit};
}

FeatureSource probe(const DetectorExamples& examples, const InsideConfig& config) {
  return states<logistic_fit>(LinearProbe::kName, examples, config);
}

FeatureSource mahalanobis(const DetectorExamples& examples, const InsideConfig& config) {
  return states<contrast_fit>(Mahalanobis::kName, examples, config);
}

FeatureSource latents(const DetectorExamples& examples, const InsideConfig& config) {
  const SparseAutoencoder sae = SparseAutoencoder::read(config.sae);
  if (!sae.model_sha256.empty() && sae.model_sha256 != examples.model_sha256)
    throw Error("the autoencoder '" + config.sae + "' was trained on another model than the run's.");
  const Hook hook = hook_of_lens_name(sae.hook_name);
  if (hook.point != HookPoint::kResidual)
    throw Error("the autoencoder '" + config.sae + "' reads '" + sae.hook_name +
                "': the detector sae takes one of the residual stream.");
  const StateHooks& hooks = state_hooks_of(*examples.model);
  check_hook(hook, hooks.layers());
  if (sae.width() != hooks.width())
    throw Error("the autoencoder '" + config.sae + "' is of width " + std::to_string(sae.width()) +
                ", the model of width " + std::to_string(hooks.width()) + ".");
  const Tensor z = sae.encode(last_states(examples, hook.layer, "sae").to(sae.encoder.scalar_type()));
  return {"sae, layer " + std::to_string(hook.layer), z.to(at::kDouble), selecting_fit(kMostLatents)};
}

struct LearnedSource {
  const char* name;
  FeatureSource (*make)(const DetectorExamples&, const InsideConfig&);
};

const Registry<LearnedSource>& learned_sources() {
  static const Registry<LearnedSource> table("detector that learns", {{UnrelatedQuestions::kName, questions},
                                                                      {LinearProbe::kName, probe},
                                                                      {Mahalanobis::kName, mahalanobis},
                                                                      {"sae", latents}});
  return table;
}

/// A detector by its spec, made as an evaluation of the run would make it.
std::shared_ptr<const Defense> detector_of(const std::string& spec, const DetectorExamples& examples,
                                           const RunMaterial& material, DefenseMaker& maker) {
  const ContextSet contexts = read_contexts(material.config.contexts);
  std::vector<Tensor> photos;
  int64_t reply_tokens = 1;
  for (const TrialRow& trial : material.trials) reply_tokens = std::max(reply_tokens, trial.reply_tokens);
  for (const LabeledImage& image : material.images)
    if (image.label == "clean") photos.push_back(load_image(image.file));
  constexpr double kAlarms = 0.05;
  return maker
      .make({spec}, {examples.model, material.config, contexts.calibration, photos, reply_tokens, kAlarms})
      .at(0);
}

std::vector<double> own_scores(const Defense& detector, const DetectorExamples& examples,
                               const Responder& respond, const std::string& spec) {
  const std::vector<Submission> submissions = examples.submissions();
  if (const auto* text = dynamic_cast<const TextDetector*>(&detector)) {
    std::vector<Query> queries;
    for (const Submission& one : submissions) queries.push_back(one.query);
    return text->scores(queries);
  }
  if (const auto* judge = dynamic_cast<const SubmissionDetector*>(&detector)) {
    std::vector<double> scores;
    for (const auto& verdict : judge->verdicts(submissions, respond)) scores.push_back(verdict.score);
    return scores;
  }
  if (const auto* judge = dynamic_cast<const ReplyDetector*>(&detector)) {
    std::vector<std::string> replies;
    for (const DetectorExample& one : examples.all) replies.push_back(one.reply);
    return judge->scores(submissions, replies);
  }
  throw Error("'" + spec + "' is a defense without scores: name a detector, as hidden_detect or perplexity.");
}

}  // namespace

void check_detector_name(const std::string& detector) {
  const std::string name = detector.substr(0, detector.find(':'));
  std::vector<std::string> known = learned_sources().names();
  for (const std::string& one : defense_names())
    if (std::find(known.begin(), known.end(), one) == known.end()) known.push_back(one);
  if (std::find(known.begin(), known.end(), name) == known.end())
    throw Error(unknown_name("detector", name, known));
}

FeatureSource feature_source(const std::string& detector, const DetectorExamples& examples,
                             const InsideConfig& config, const std::filesystem::path& run,
                             const std::vector<std::string>& moved_models) {
  const at::NoGradGuard no_gradients;
  if (const LearnedSource* learned = learned_sources().find(detector)) return learned->make(examples, config);
  const RunMaterial material = read_run_material(run, moved_models, false);
  DefenseMaker maker;
  const auto made = detector_of(detector, examples, material, maker);
  const Responder respond =
      bare_model(examples.model, {material.trials.front().reply_tokens, {}, material.config.seeds[0]});
  return {.name = made->name(), .scores = own_scores(*made, examples, respond, detector)};
}

}  // namespace hijack
