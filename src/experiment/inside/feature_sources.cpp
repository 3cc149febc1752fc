#include "src/experiment/inside/feature_sources.h"

#include <ATen/ATen.h>

#include "defenses/detectors/last_states.h"
#include "defenses/detectors/linear_probe.h"
#include "defenses/detectors/unrelated_questions.h"
#include "defenses/make_defense.h"
#include "models/sae/patched.h"
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
  return {UnrelatedQuestions::kName,
          QuestionFeatures(examples.model, config.tokens).of(examples.submissions(), examples.replies()),
          logistic_fit};
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
  const Hook hook = checked_hook(sae, *examples.model, examples.model_sha256);
  if (hook.point != HookPoint::kResidual)
    throw Error("the autoencoder '" + config.sae + "' reads '" + sae.hook_name +
                "': the detector sae takes one of the residual stream.");
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
  if (const auto* judge = dynamic_cast<const ReplyDetector*>(&detector))
    return judge->scores(submissions, examples.replies());
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

/// Detectors by their specs, made as an evaluation of the run would make them.
class FeatureSources::Detectors {
 public:
  Detectors(const DetectorExamples& examples, const std::filesystem::path& run,
            const std::vector<std::string>& moved_models)
      : examples_(examples),
        material_(read_run_material(run, moved_models, false)),
        calibration_(read_contexts(material_.config.contexts).calibration) {
    for (const TrialRow& trial : material_.trials)
      reply_tokens_ = std::max(reply_tokens_, trial.reply_tokens);
    for (const LabeledImage& image : material_.images)
      if (image.label == "clean") photos_.push_back(load_image(image.file));
  }

  FeatureSource of(const std::string& spec) {
    constexpr double kAlarms = 0.05;
    const auto detector =
        maker_
            .make({spec}, {examples_.model, material_.config, calibration_, photos_, reply_tokens_, kAlarms})
            .at(0);
    const Responder respond =
        bare_model(examples_.model, {material_.trials.front().reply_tokens, {}, material_.config.seeds[0]});
    return {.name = detector->name(), .scores = own_scores(*detector, examples_, respond, spec)};
  }

 private:
  const DetectorExamples& examples_;
  RunMaterial material_;
  std::vector<Context> calibration_;
  std::vector<Tensor> photos_;
  int64_t reply_tokens_ = 1;
  DefenseMaker maker_;
};

FeatureSources::FeatureSources(const DetectorExamples& examples, const InsideConfig& config,
                               const std::filesystem::path& run, const std::vector<std::string>& moved_models)
    : examples_(examples), config_(config), run_(run), moved_models_(moved_models) {}
FeatureSources::~FeatureSources() = default;

FeatureSource FeatureSources::of(const std::string& detector) {
  const at::NoGradGuard no_gradients;
  if (const LearnedSource* learned = learned_sources().find(detector))
    return learned->make(examples_, config_);
  if (!detectors_) detectors_ = std::make_unique<Detectors>(examples_, run_, moved_models_);
  return detectors_->of(detector);
}

}  // namespace hijack
